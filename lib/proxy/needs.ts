/** What another configuration needs and the running one has not: it is had before anything changes, or nothing does. */
import type { Admin } from '../admin/server.js';
import type { Clock } from '../base/clock.js';
import type { Address } from '../config/address.js';
import type { Config } from '../config/schema.js';
import type { Front, Move } from '../front/contract.js';
import type { Events } from '../observe/events.js';
import type { OriginWays } from '../origin/replaceable.js';
import { bound, isMoved } from './addresses.js';
import { makeWays, needsNewWays } from './pieces.js';

export interface Needs {
  /** Ways to the origin; undefined where the present ones stay. */
  readonly ways: OriginWays | undefined;
  /** The operators' listener at another address. */
  readonly admin: Admin | undefined;
  /** Takes clients to another address. */
  readonly move: Move | undefined;
  /** It is needed no more. */
  leave(): Promise<void>;
}

export interface NeedsParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly front: Front;
  makeAdmin(listen: Address | undefined): Admin | undefined;
}

/** Rejects with a ConfigError where something cannot be had, and has nothing then. */
export async function haveNeeds(
  next: Config,
  before: Config,
  { clock, events, front, makeAdmin }: NeedsParts,
): Promise<Needs> {
  const ways = needsNewWays(before, next) ? makeWays(next, clock, events) : undefined;
  const admin = isMoved(before.admin.listen, next.admin.listen) ? makeAdmin(next.admin.listen) : undefined;
  const drop = (): void => {
    void admin?.close();
    void ways?.client.close(0);
    void ways?.tunnel.close();
  };
  let move: Move | undefined;
  try {
    if (admin !== undefined) await bound('admin.listen', next.admin.listen, admin.start());
    // Last, since it may give up the old address.
    if (isMoved(before.listen, next.listen)) move = await bound('listen', next.listen, front.moveTo(next.listen));
  } catch (error) {
    drop();
    throw error;
  }
  const leave = async (): Promise<void> => {
    drop();
    await move?.leave();
  };
  return { ways, admin, move, leave };
}
