/**
 * A reply from a body that lies below, which turns out there to be damaged in the middle: its client gets the rest from the
 * origin, where that can be told to be of the same representation (RFC 9111 §3.4), and else sees the break.
 */
import type { BodyReader, ReadResult, Taker } from '../object/reader.js';
import type { StoredResponse } from '../object/stored.js';
import { requestDirectives } from '../policy/request-directives.js';
import type { ClientRequest, Reply } from './contract.js';
import type { Engine } from './engine.js';
import { Fill } from './fill.js';
import { specOf } from './fill-order.js';

/** The reply, such that it goes on. Of anything but the whole of a body below it is the same. */
export function goingOn(engine: Engine, request: ClientRequest, stored: StoredResponse, reply: Reply): Reply {
  const { payload } = reply;
  const isBelow = stored.body.below !== undefined && stored.body.state === 'complete';
  if (!isBelow || reply.status !== 200 || payload.kind !== 'reader') return reply;
  const reader = new GoingOn(payload.reader, (from) => restOf(engine, request, stored, from));
  return { ...reply, payload: { ...payload, reader } };
}

/** Undefined: the origin is not to be asked. */
function restOf(
  { parts, collapse }: Engine,
  request: ClientRequest,
  stored: StoredResponse,
  from: number,
): BodyReader | undefined {
  const { key } = stored;
  if (requestDirectives(request.fields).onlyIfCached || parts.live.rules.ruleFor(request).push !== 'off') {
    return undefined;
  }
  // Promise 4: an origin that fails is asked by a clock.
  if (parts.failures.pending(key) !== undefined) return undefined;
  const spec = specOf(parts, {
    key,
    collapseKey: undefined,
    request,
    method: 'GET',
    basis: undefined,
    known: [],
    conditions: 'rest',
    askedFor: 'uncacheable',
    leader: undefined,
  });
  return new Fill(parts, collapse, { ...spec, background: false }, undefined).goOn(stored, from);
}

class GoingOn implements BodyReader {
  #reader: BodyReader;
  /** Undefined once it was asked for, or is not wanted. */
  #restFrom: ((from: number) => BodyReader | undefined) | undefined;
  #givenBytes = 0;
  #listener: (() => void) | undefined;
  #taker: Taker | undefined;

  constructor(reader: BodyReader, restFrom: (from: number) => BodyReader | undefined) {
    this.#reader = reader;
    this.#restFrom = restFrom;
  }

  read(): ReadResult {
    const given = this.#reader.read();
    if (typeof given !== 'string') {
      this.#givenBytes += given.length;
      return given;
    }
    return given === 'failed' ? this.#readOn() : given;
  }

  #readOn(): ReadResult {
    const rest = this.#restFrom?.(this.#givenBytes);
    this.#restFrom = undefined;
    if (rest === undefined) return 'failed';
    this.#reader.close();
    this.#reader = rest;
    if (this.#taker !== undefined) rest.takenBy?.(this.#taker);
    if (this.#listener !== undefined) rest.onReadable(this.#listener);
    return rest.read();
  }

  onReadable(run: () => void): void {
    this.#listener = run;
    this.#reader.onReadable(run);
  }

  takenBy(taker: Taker): void {
    this.#taker = taker;
  }

  close(): void {
    this.#restFrom = undefined;
    this.#listener = undefined;
    this.#reader.close();
  }
}
