/** The origin for loads, as scenarios see it. */
import { LOAD_CORE } from './machine.js';
import { kitModule } from './root.js';
import { freePort, type Running, type Scope, untilOpen } from './scope.js';

/** `watch`: from now on it also counts the requests for this target. */
export type SwiftMessage = 'take' | { readonly watch: string };

/** Requests that reached it since it was asked last. */
export interface SwiftCount {
  readonly count: number;
  /** Those of them that it answered 304. */
  readonly conditional: number;
  /** Those for the target that is watched. */
  readonly watched: number;
}

export class SwiftOrigin {
  readonly port: number;
  readonly #running: Running;

  constructor(port: number, running: Running) {
    this.port = port;
    this.#running = running;
  }

  take(): Promise<SwiftCount> {
    return this.#running.ask<SwiftCount>('take' satisfies SwiftMessage);
  }

  /** Also counts the requests for this target, apart from what else reaches it. */
  watch(target: string): Promise<SwiftCount> {
    return this.#running.ask<SwiftCount>({ watch: target } satisfies SwiftMessage);
  }
}

/** The path that this origin answers with so many bytes, fresh for so long, and then stale while it is asked again. */
export function pathOf(bytes: number, ttlSec: number, name: string, staleSec = 0): string {
  return `/${bytes}/${ttlSec}${staleSec === 0 ? '' : `+${staleSec}`}/${name}`;
}

export async function startSwiftOrigin(scope: Scope): Promise<SwiftOrigin> {
  const port = await freePort();
  const running = scope.fork('origin', kitModule('swift-main.js'), [String(port)], LOAD_CORE);
  await untilOpen(running, port);
  return new SwiftOrigin(port, running);
}
