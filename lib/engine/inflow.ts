/** The body of a fill as it comes in: charged to the budget while it is meant for the store, let through where not. */
import { createHash, type Hash } from 'node:crypto';
import { SPILL_FROM_BYTES, SPILL_WINDOW_BYTES } from '../base/disk-limits.js';
import { FLOW_WINDOW_BYTES, JOIN_BODY_BYTES, RESERVE_STEP_BYTES } from '../base/limits.js';
import type { ReadBuffer } from '../base/read-buffer.js';
import { Body, type BodySource } from '../object/body.js';
import type { Store } from '../store/contract.js';

/** 132 bits of a SHA-256: nobody makes two bodies with one tag. */
const TAG_LENGTH = 22;

/** Why a body that was meant for the store is not any more. */
export type Overflow = 'too-large' | 'no-room';

interface Keeping {
  readonly isHashed?: boolean;
  readonly isPart?: boolean;
  readonly isCopy?: boolean;
}

export class Inflow {
  readonly body: Body;
  readonly #store: Store;
  #isKept: boolean;
  #reservedBytes: number;
  #maySpill = false;
  #isCopy = false;
  readonly #hash: Hash | undefined;

  private constructor(store: Store, body: Body, isKept: boolean, reservedBytes: number, isHashed = false) {
    this.#hash = isHashed ? createHash('sha256') : undefined;
    this.#store = store;
    this.body = body;
    this.#isKept = isKept;
    this.#reservedBytes = reservedBytes;
  }

  /**
   * A body for the store; undefined where there is no room for it. What is large goes to disk as it arrives, where there is
   * one. `isHashed`: makeTag() will be asked for. `isPart`: it is to be put together with others, in memory. `isCopy`: it
   * is written below by another process.
   */
  static keep(
    store: Store,
    expectedBytes: number | undefined,
    source: BodySource,
    { isHashed = false, isPart = false, isCopy = false }: Keeping = {},
  ): Inflow | undefined {
    const bytes = Math.max(1, expectedBytes ?? RESERVE_STEP_BYTES);
    if (isCopy && bytes > store.maxCopyBytes) return undefined;
    const sink = isPart || isCopy || bytes <= SPILL_FROM_BYTES ? undefined : store.openSpill();
    const reservedBytes = sink === undefined ? bytes : 0;
    if (sink === undefined && !store.reserve(bytes)) return undefined;
    const inflow = new Inflow(store, openBody('retain', expectedBytes, source), true, reservedBytes, isHashed);
    inflow.#maySpill = !isPart && !isCopy;
    inflow.#isCopy = isCopy;
    if (sink !== undefined) inflow.body.spill(sink, SPILL_WINDOW_BYTES);
    return inflow;
  }

  /**
   * A copy for which there is no room in memory here, and which several read: it goes by way of the disk from its first byte on, so that
   * who comes later reads all of it too (decision 0009). Undefined where the disk does not take it.
   */
  static detour(store: Store, expectedBytes: number | undefined, source: BodySource): Inflow | undefined {
    const sink = (expectedBytes ?? 0) > store.maxObjectBytes ? undefined : store.openSpill();
    if (sink === undefined) return undefined;
    const inflow = new Inflow(store, openBody('retain', expectedBytes, source), false, 0);
    inflow.body.spill(sink, SPILL_WINDOW_BYTES);
    return inflow;
  }

  /** A body that only its readers want. */
  static pass(store: Store, expectedBytes: number | undefined, source: BodySource): Inflow {
    return new Inflow(store, openBody('flow', expectedBytes, source), false, 0);
  }

  /** What comes from a place on of a body that one reader has had up to there. */
  static rest(store: Store, from: number, expectedBytes: number | undefined, source: BodySource): Inflow {
    const body = Body.rest(from, { mode: 'flow', expectedBytes, highWaterBytes: FLOW_WINDOW_BYTES });
    body.attach(source);
    return new Inflow(store, body, false, 0);
  }

  /** The body of an answer to HEAD, which has none: how long that of a GET would be is not known from it. */
  static none(store: Store, source: BodySource): Inflow {
    return new Inflow(store, openBody('retain', undefined, source), false, 0);
  }

  /** Whether it is meant for the store. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /**
   * Takes bytes in. Where they outgrow the budget, whoever reads goes on reading and the store forgets the body: that
   * is told once, as the result, before a reader can notice.
   */
  write(chunk: Buffer, buffer?: ReadBuffer): Overflow | undefined {
    this.body.write(chunk, buffer);
    this.#hash?.update(chunk);
    const received = this.body.receivedBytes;
    // It may have no end, and would push out all else that is there.
    if (this.isOnDetour && received > this.#store.maxObjectBytes) this.body.stopRetaining();
    if (!this.#isKept || received <= this.#reservedBytes) return undefined;
    const isTooLarge = received > (this.#isCopy ? this.#store.maxCopyBytes : this.#store.maxObjectBytes);
    if (!isTooLarge && (this.body.mode === 'spill' || this.#spills(received))) return undefined;
    const step = Math.max(RESERVE_STEP_BYTES, received >> 2);
    if (!isTooLarge && this.body.mode === 'retain' && this.#store.reserve(step)) {
      this.#reservedBytes += step;
      return undefined;
    }
    this.release();
    return isTooLarge && !this.#isCopy ? 'too-large' : 'no-room';
  }

  /**
   * A copy that has outgrown memory here goes on by way of the disk where several read it, so that none of them is cut off
   * (decision 0009): it is stored by the one who writes it all the same. Returns whether it does.
   */
  detours(): boolean {
    const isWanted = this.#isCopy && this.body.mode === 'retain' && this.body.readerCount > 1;
    const sink = isWanted ? this.#store.openSpill() : undefined;
    if (sink === undefined) return false;
    this.body.spill(sink, SPILL_WINDOW_BYTES);
    return true;
  }

  /** On its way by the disk to those who read it, and not for the store. */
  get isOnDetour(): boolean {
    return !this.#isKept && this.body.mode === 'spill';
  }

  /** Who was to store it is gone, and it goes on from the origin: where all of it is on its way to disk it is stored here. */
  keepDetour(): void {
    if (!this.isOnDetour) return;
    this.#isKept = true;
    this.#isCopy = false;
  }

  /** Whether any number may read it, each from the beginning and at its own pace. */
  get isForAll(): boolean {
    return this.#isKept || this.isOnDetour;
  }

  /** Hands the body on to the disk where it has become too large for memory. Returns whether it did. */
  #spills(receivedBytes: number): boolean {
    if (!this.#maySpill || receivedBytes <= SPILL_FROM_BYTES || this.body.mode !== 'retain') return false;
    const sink = this.#store.openSpill();
    this.#maySpill = false;
    if (sink === undefined) return false;
    this.body.spill(sink, SPILL_WINDOW_BYTES);
    this.#giveBack();
    return true;
  }

  /** Returns whether the body is whole: where Content-Length promised another length it has failed. */
  complete(): boolean {
    this.#giveBack();
    this.body.complete(JOIN_BODY_BYTES);
    return this.body.state === 'complete';
  }

  /** A strong entity-tag of the whole body; undefined where it was not hashed. Once, when it is complete. */
  makeTag(): string | undefined {
    const digest = this.#hash?.digest('base64url').slice(0, TAG_LENGTH);
    return digest === undefined ? undefined : `"p-${digest}"`;
  }

  fail(): void {
    this.release();
    this.body.fail();
  }

  /** It is not meant for the store any more. */
  release(): void {
    this.#isKept = false;
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#reservedBytes > 0) this.#store.release(this.#reservedBytes);
    this.#reservedBytes = 0;
  }
}

function openBody(mode: 'retain' | 'flow', expectedBytes: number | undefined, source: BodySource): Body {
  const body = new Body({ mode, expectedBytes, highWaterBytes: FLOW_WINDOW_BYTES });
  body.attach(source);
  return body;
}
