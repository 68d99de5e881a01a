/**
 * The tier that machines share (design, section 4), put together: what lies there, leases, news, what is written to it and the log
 * of what operators did. Whatever it cannot do in time it does as if it were not there.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { SHARED_ALONE_MS } from '../base/shared-limits.js';
import type { Selection, StoredResponse } from '../object/stored.js';
import { SharedBodies } from './shared-bodies.js';
import { SharedClock } from './shared-clock.js';
import type { LeasePlace, SharedListener, SharedTable } from './shared-contract.js';
import { type SharedAnswer, SharedFinding, type SharedFound, type SharedOrder } from './shared-finding.js';
import { SharedGuard } from './shared-guard.js';
import { SharedLog } from './shared-log.js';
import { type News, readNews, writeNews } from './shared-news.js';
import type { SharedOp, SharedReach } from './shared-ops.js';
import { SharedOwed } from './shared-owed.js';
import { SharedPulse } from './shared-pulse.js';
import { nameOf, variantOf } from './shared-record.js';
import { hasFetched, sweepShared } from './shared-sweep.js';
import { NO_NEWS, OP_MARK } from './shared-table.js';
import { SharedTombs } from './shared-tombs.js';
import { SharedWriting } from './shared-writing.js';

export interface SharedTierOptions {
  readonly table: SharedTable;
  readonly clock: Clock;
  readonly random: () => number;
  /** Longest wait for an answer that a client waits for. */
  readonly timeoutMs: number;
  readonly leaseMs: number;
  /** Larger bodies are not shared. */
  readonly maxBodyBytes: number;
  /** This process among those of all machines, and another one of this machine by its number. No name has a dot. */
  readonly process: ProcessNames;
}

export interface ProcessNames {
  readonly own: string;
  of(member: number): string;
  /** Whether a name begins with one of a process of this machine. */
  isHere(name: string): boolean;
}

/** What is told to the one who uses the tier. */
export interface SharedTierListener extends Pick<SharedListener, 'unguarded'> {
  /** How many wait for news. */
  readonly waitingCount: number;
  /** News of another machine; `found`: the record in it, where it has one that can be read. */
  news(news: News, found: SharedFound | undefined): void;
  /** What other machines did, in order, and when on this machine's clock. */
  operations(ops: readonly SharedOp[]): void;
  changed(isUp: boolean, reason: string): void;
  /** A fault of our own ended a step. */
  faulted(error: unknown): void;
  /** It is there, and refuses a part of what it is asked; or does so no more. */
  refusing(isRefusing: boolean, reason: string): void;
}

export interface SharedCounts {
  found: number;
  missed: number;
  kept: number;
  refused: number;
  unshared: number;
  damaged: number;
  missing: number;
  newsHeard: number;
  newsAlien: number;
}

export class SharedTier {
  readonly counts: SharedCounts = {
    found: 0,
    missed: 0,
    kept: 0,
    refused: 0,
    unshared: 0,
    damaged: 0,
    missing: 0,
    newsHeard: 0,
    newsAlien: 0,
  };
  readonly guard: SharedGuard;
  readonly log: SharedLog;
  readonly clock: SharedClock;
  readonly tombs: SharedTombs;
  readonly leaseMs: number;
  readonly maxBodyBytes: number;
  readonly #options: SharedTierOptions;
  readonly #table: SharedTable;
  readonly #bodies: SharedBodies;
  readonly #finding: SharedFinding;
  /** The name of this tier among those of all processes. */
  readonly #instance = randomBytes(9).toString('base64url');
  readonly #writing: SharedWriting;
  readonly owed: SharedOwed;
  #leaseCount = 0;
  #listener: SharedTierListener | undefined;
  #pulse: SharedPulse | undefined;
  #failedBefore = 0;

  constructor(options: SharedTierOptions) {
    const { table, clock, random, timeoutMs } = options;
    this.#options = options;
    this.#table = table;
    this.leaseMs = options.leaseMs;
    this.maxBodyBytes = options.maxBodyBytes;
    this.clock = new SharedClock(clock);
    this.guard = new SharedGuard({
      clock,
      random,
      timeoutMs,
      probe: () => this.#tryOut(),
      hung: () => table.reconnect(),
      isOfOne: (error) => table.isOfOne(error),
      changed: (isUp, reason) => this.#changed(isUp, reason),
      refusing: (isRefusing, reason) => this.#listener?.refusing(isRefusing, reason),
    });
    this.log = new SharedLog({
      table,
      guard: this.guard,
      clock: this.clock,
      instance: `${options.process.own}.${this.#instance}`,
      isHere: (name) => options.process.isHere(name),
      apply: (ops) => this.#listener?.operations(ops),
      lost: () => this.#bodies.forget(),
    });
    this.owed = new SharedOwed(clock, options.leaseMs);
    this.tombs = new SharedTombs({ table, guard: this.guard, clock });
    this.#bodies = new SharedBodies({
      table,
      guard: this.guard,
      told: (damage) => {
        this.counts[damage]++;
      },
    });
    this.#finding = new SharedFinding({
      table,
      guard: this.guard,
      clock: this.clock,
      log: this.log,
      bodies: this.#bodies,
      counts: this.counts,
      leaseMs: options.leaseMs,
      unwanted: (place, key) => void this.release(place, key, 'left'),
    });
    this.#writing = new SharedWriting({
      table,
      guard: this.guard,
      clock: this.clock,
      bodies: this.#bodies,
      counts: this.counts,
      maxBodyBytes: options.maxBodyBytes,
      release: (place, key, what) => this.release(place, key, what),
      faulted: (error) => this.#listener?.faulted(error),
      news: (key, variant, what, record) => this.#news(key, variant, what, {}, record),
    });
  }

  open(listener: SharedTierListener): void {
    this.#listener = listener;
    this.#table.listen({
      message: (bytes) => this.#heard(bytes),
      up: () => this.guard.linked(),
      down: (reason) => this.guard.unlinked(reason),
      unguarded: () => listener.unguarded(),
    });
    this.guard.link();
    this.#pulse = new SharedPulse(this.#options.clock, () => this.#readOn(), listener.faulted.bind(listener));
  }

  get isUp(): boolean {
    return this.guard.isUp;
  }

  get pending(): { readonly writes: number; readonly bytes: number; readonly ops: number } {
    return { writes: this.#writing.count, bytes: this.#writing.bytes, ops: this.log.pendingCount };
  }

  #changed(isUp: boolean, reason: string): void {
    this.#listener?.changed(isUp, reason);
    if (!isUp) return;
    void this.log.flush();
    this.#settle();
  }

  async #readOn(): Promise<void> {
    await this.guard.heartbeat(() => (this.#isDoubtful() ? this.#tryOut() : this.log.catchUp()));
    void this.log.flush();
    this.#settle();
  }

  /** Of what is kept from being published nobody hears: who waits for it would wait in vain, and operations would not be told. */
  async #tryOut(): Promise<void> {
    await this.log.catchUp();
    await this.#table.speak();
  }

  /** Whether it may be so: somebody waits, or something has failed since the last time. */
  #isDoubtful(): boolean {
    const { failed } = this.guard.counts;
    const isNew = failed !== this.#failedBefore;
    this.#failedBefore = failed;
    return isNew || (this.#listener?.waitingCount ?? 0) > 0;
  }

  /** Gives back what could not be given back before. */
  #settle(): void {
    void this.owed.settle(
      async (place, key) => this.isUp && (await this.#giveBack(place, this.#news(key, place.variant, 'left'), 0)),
    );
  }

  #heard(bytes: Buffer): void {
    if (bytes.equals(NO_NEWS)) return;
    this.counts.newsHeard++;
    if (bytes.toString('latin1', 0, 1) === OP_MARK) {
      this.log.heard(bytes.toString('utf8', 1));
      return;
    }
    const news = readNews(bytes);
    if (news === undefined) this.counts.newsAlien++;
    else if (news.by !== this.#instance) {
      const found = news.record === undefined ? undefined : this.#finding.read(news.record, news.key);
      this.#listener?.news(news, found);
    }
  }

  /** Where the record of `found` is about the very body of `stored`, that record around it. */
  around(stored: StoredResponse, found: SharedFound): StoredResponse | undefined {
    return this.#finding.around(stored, found);
  }

  /** What lies there for a response that is wanted; where nothing does, the lease to ask the origin for it. */
  take(order: SharedOrder): Promise<SharedAnswer> {
    const holder = `${this.#options.process.own}.${this.#instance}.${++this.#leaseCount}.`;
    return this.#finding.take(order, { name: nameOf(order.key), variant: variantOf(order.selection), holder });
  }

  renew(place: LeasePlace): Promise<boolean> {
    return this.guard.background(() => this.#table.renew(place, this.leaseMs)).then((given) => given?.value === true);
  }

  /** Gives a lease back with what came of it. */
  async release(place: LeasePlace, key: string, what: News['what'], how: News['how'] = {}): Promise<void> {
    const news = this.#news(key, place.variant, what, how);
    const isBack = await this.#giveBack(place, news, what === 'alone' ? SHARED_ALONE_MS : 0);
    if (!isBack) this.owed.note(place, key);
  }

  /** Gives back what another process of this machine that is gone may have held for a response. Resolves when it has, or that has lapsed. */
  async releaseOf(member: number, key: string, selection: Selection): Promise<void> {
    const place = { name: nameOf(key), variant: variantOf(selection), holder: `${this.#options.process.of(member)}.` };
    await this.release(place, key, 'left');
    await this.settled(place);
  }

  /** Resolves when nothing of this lease is to be given back any more. */
  settled(place: LeasePlace): Promise<void> {
    return this.owed.over(place);
  }

  async #giveBack(place: LeasePlace, news: Buffer, aloneMs: number): Promise<boolean> {
    return (await this.guard.background(() => this.#table.release(place, news, aloneMs))) !== undefined;
  }

  #news(key: string, variant: string, what: News['what'], how: News['how'] = {}, record?: Buffer): Buffer {
    return writeNews({ by: this.#instance, key, variant, what, how, record });
  }

  /** Writes a response, behind; with it the lease is given back. Resolves with whether it was kept. */
  keep(response: StoredResponse, lease: LeasePlace | undefined, isPush = false): Promise<boolean> {
    return this.#writing.keep(response, lease, isPush);
  }

  /** Whether what the origin had sent up to the moment of `mark` lies under a key, for whatever selecting fields. */
  hasFetched(key: string, mark: number): Promise<boolean> {
    return hasFetched(this.#table, this.guard, key, this.clock.ofMark(mark) + this.clock.errorMs);
  }

  /** Something was done here to what others may hold as well, at the moment of `mark`. */
  operate(effect: SharedOp['effect'], reach: SharedReach, isPassing = false, mark = this.clock.mark()): void {
    const op = this.log.append(effect, reach, isPassing, mark);
    if (effect !== 'purge') return;
    const at = op.at + this.clock.errorMs;
    if (isPassing && reach.kind === 'keys') this.tombs.note(reach.keys.map(nameOf), at);
    else void sweepShared(this.#table, this.guard, { ...op, at });
  }

  /** Another tier, or none, is in its place by a reload: what is to be told and given back yet is left to that one. */
  replacedBy(next: SharedTier | undefined): void {
    next?.log.takeOver(this.log);
    next?.tombs.takeOver(this.tombs);
    this.owed.replacedBy(next?.owed);
    this.close();
  }

  close(): void {
    this.#pulse?.stop();
    this.tombs.close();
    this.guard.close();
    this.#table.close();
  }
}
