/**
 * What the origin is asked for while no client waits (issue 5, SYSTEMS row 3): in order of urgency, the hottest first,
 * each key once, within a budget; what fails is tried again, later and later; and all of it gives way, the least urgent
 * first, where the origin is slow or fails. A client that waits is never in here: its request goes out at once.
 */
import type { Clock, Timer } from '../base/clock.js';
import { stackOf } from '../base/errors.js';
import {
  MAX_AHEAD_TRIES,
  MAX_COLD_TRIES,
  MAX_REFRESH_AGE_MS,
  MAX_REFRESH_LISTENERS,
  MAX_REFRESH_QUEUE,
  MAX_REFRESH_QUEUE_BYTES,
  MAX_STALE_TRIES,
  MAX_WARM_TRIES,
  REFRESH_RECHECK_MS,
} from '../base/refresh-limits.js';
import type { Events, RefreshOutcome, RefreshPriority } from '../observe/events.js';
import type { OriginClient } from '../origin/contract.js';
import type { FillEnd } from './fill-contract.js';
import { RefreshBacklog, rankOf } from './refresh-backlog.js';
import { type RefreshBudget, TokenBucket } from './refresh-budget.js';
import type { Begun, Enqueued, QueueStats, RefreshEnd, RefreshJob } from './refresh-contract.js';
import type { Entry, Told } from './refresh-lane.js';
import type { OriginPace } from './refresh-pace.js';

/** From this strain on a priority waits, and what is ahead of its time is given up. */
const HELD_FROM: Readonly<Record<RefreshPriority, number>> = { ahead: 1, warm: 2, cold: 3, stale: 5 };
/** The strain while the breaker lets one request through, to see; and while it lets none. */
const PROBING = 4;
const UNREACHABLE = 5;
const TRIES: Readonly<Record<RefreshPriority, number>> = {
  stale: MAX_STALE_TRIES,
  cold: MAX_COLD_TRIES,
  warm: MAX_WARM_TRIES,
  ahead: MAX_AHEAD_TRIES,
};

export interface RefreshQueueOptions {
  readonly clock: Clock;
  readonly events: Events;
  readonly origin: Pick<OriginClient, 'healthy' | 'reachable'>;
  readonly pace: OriginPace;
  readonly budget: RefreshBudget;
  /** Jobs that may wait or be under way; default MAX_REFRESH_QUEUE. */
  readonly maxCount?: number;
  /** Bytes that these may hold; default MAX_REFRESH_QUEUE_BYTES. */
  readonly maxBytes?: number;
}

export class RefreshQueue {
  readonly #options: RefreshQueueOptions;
  readonly #backlog: RefreshBacklog;
  readonly #bucket: TokenBucket;
  #concurrency: number;
  #running = 0;
  #timer: Timer | undefined;
  #firesAt = 0;
  #isPumping = false;
  #isClosed = false;

  constructor(options: RefreshQueueOptions) {
    this.#options = options;
    const { maxCount = MAX_REFRESH_QUEUE, maxBytes = MAX_REFRESH_QUEUE_BYTES } = options;
    this.#backlog = new RefreshBacklog(maxCount, maxBytes);
    this.#concurrency = options.budget.concurrency;
    this.#bucket = new TokenBucket(options.budget.rate, options.clock.now());
  }

  /** Whether this is under way, or waits for its turn with that priority at least. What is put off does neither. */
  hasInTurn(id: string, priority: RefreshPriority): boolean {
    const entry = this.#backlog.find(id);
    if (entry === undefined || rankOf(entry.job.priority) > rankOf(priority)) return false;
    return entry.isRunning || entry.dueAt <= this.#options.clock.now();
  }

  /** Takes a job in, and begins it where there is nothing against it. `told` hears of its end, once. */
  enqueue(job: RefreshJob, told?: Told): Enqueued {
    const known = this.#backlog.find(job.id);
    if (known !== undefined) return this.#join(known, job, told);
    const now = this.#options.clock.now();
    const refusal = this.#isClosed || !this.#backlog.mayHold(job) ? 'full' : this.#refusalOf(job);
    if (refusal !== undefined) {
      this.#tell(job.priority, refusal, 0, told === undefined ? [] : [told]);
      return refusal;
    }
    const entry = this.#backlog.add(job, now, told);
    this.#pump();
    if (entry.isRunning) return 'running';
    return this.#backlog.find(job.id) === entry ? 'queued' : 'over';
  }

  /** The same work again: of two priorities the higher one counts, and a new wish starts the tries anew. */
  #join(entry: Entry, job: RefreshJob, told: Told | undefined): Enqueued {
    if (told !== undefined) {
      if (entry.listeners.length >= MAX_REFRESH_LISTENERS) {
        this.#tell(job.priority, 'full', 0, [told]);
        return 'full';
      }
      entry.listeners.push(told);
    }
    if (entry.isRunning || rankOf(job.priority) > rankOf(entry.job.priority)) return 'joined';
    this.#backlog.renew(entry, job, this.#options.clock.now());
    this.#pump();
    return 'joined';
  }

  /** Why a job is not taken in. Where there is no room, what is less urgent, or as urgent and less hot, makes some. */
  #refusalOf(job: RefreshJob): 'full' | 'shed' | undefined {
    if (job.priority === 'ahead' && this.#strain() >= HELD_FROM.ahead) return 'shed';
    while (!this.#backlog.hasRoomFor(job)) {
      const victim = this.#backlog.victimFor(job);
      if (victim === undefined) return 'full';
      this.#finish(victim, 'full');
    }
    return undefined;
  }

  /** Takes a job out. What is under way goes on, and is not tried again. */
  drop(id: string, outcome: 'purged' | 'overtaken' | 'withdrawn', only?: RefreshPriority): void {
    const entry = this.#backlog.find(id);
    if (entry === undefined || (only !== undefined && entry.job.priority !== only)) return;
    if (entry.isRunning) entry.isDropped = true;
    else this.#finish(entry, outcome);
  }

  /** drop() for each job of a priority that begins so. */
  dropUnder(prefix: string, only: RefreshPriority): void {
    for (const { job } of this.#backlog.all()) if (job.id.startsWith(prefix)) this.drop(job.id, 'purged', only);
  }

  reconfigure({ rate, concurrency }: RefreshBudget): void {
    this.#bucket.setRate(rate, this.#options.clock.now());
    this.#concurrency = concurrency;
    this.#pump();
  }

  /** Begins nothing more, and gives up what waits. */
  close(): void {
    this.#isClosed = true;
    this.#disarm();
    for (const entry of this.#backlog.all()) {
      entry.isDropped = true;
      if (!entry.isRunning) this.#finish(entry, 'withdrawn');
    }
  }

  get stats(): QueueStats {
    const now = this.#options.clock.now();
    return { ...this.#backlog.waiting(now), running: this.#running, strain: this.#strain() };
  }

  #strain(): number {
    const { origin, pace, clock } = this.#options;
    if (!origin.reachable) return UNREACHABLE;
    return origin.healthy ? pace.strain(clock.steady()) : PROBING;
  }

  /** Begins what may begin, then sees to it that it is called again when that changes. */
  #pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    if (!this.#hasWaiting()) {
      this.#disarm();
      return;
    }
    this.#isPumping = true;
    const now = this.#options.clock.now();
    try {
      for (const lane of this.#backlog.lanes) lane.wake(now);
      for (let next = this.#next(now); next !== undefined && this.#bucket.take(now); next = this.#next(now)) {
        this.#begin(next, now);
      }
    } finally {
      this.#isPumping = false;
      if (this.#hasWaiting()) this.#arm(now);
      else this.#disarm();
    }
  }

  #hasWaiting(): boolean {
    return this.#backlog.count > this.#running;
  }

  /** The most urgent job that may begin now. Gives up, on its way, what is too old or ahead of its time. */
  #next(now: number): Entry | undefined {
    if (!this.#hasWaiting()) return undefined;
    const strain = this.#strain();
    for (const lane of this.#backlog.lanes) {
      const isHeld = strain >= HELD_FROM[lane.priority];
      for (let { first } = lane; first !== undefined; first = lane.first) {
        if (now - first.queuedAt > MAX_REFRESH_AGE_MS) this.#finish(first, 'expired');
        else if (isHeld && lane.priority === 'ahead') this.#finish(first, 'shed');
        else if (isHeld) break;
        else return this.#running < roomAt(strain, this.#concurrency) ? first : undefined;
      }
    }
    return undefined;
  }

  #begin(entry: Entry, now: number): void {
    this.#backlog.begin(entry);
    entry.isRunning = true;
    this.#running++;
    const begun = this.#begun(entry);
    if (begun === 'running') return;
    this.#bucket.giveBack();
    this.#stopped(entry);
    if (begun === 'needless' || begun === 'failed') this.#finish(entry, begun);
    // Never at once again, or it would be begun for ever in this very turn.
    else this.#backlog.putOff(entry, Math.max(begun.later, now + 1), this.#options.clock.now());
  }

  /** A broken invariant ends this job and no other. */
  #begun(entry: Entry): Begun | 'failed' {
    try {
      return entry.job.begin((end) => {
        if (entry.isRunning) this.#ended(entry, end);
      });
    } catch (error) {
      const told = { id: entry.job.id, error: stackOf(error) };
      this.#options.events.notice('error', 'internal', 'A refresh could not be begun', told);
      return entry.isRunning ? 'failed' : 'running';
    }
  }

  #stopped(entry: Entry): void {
    entry.isRunning = false;
    this.#running--;
  }

  #ended(entry: Entry, end: FillEnd): void {
    this.#stopped(entry);
    const { priority } = entry.job;
    const now = this.#options.clock.now();
    const mayRetry = (end === 'failed' || end === 'error') && !entry.isDropped && !this.#isClosed;
    entry.tries++;
    if (mayRetry && entry.tries < TRIES[priority] && now - entry.queuedAt <= MAX_REFRESH_AGE_MS) {
      this.#options.events.refreshed(priority, 'retried', now - entry.queuedAt);
      this.#backlog.putOff(entry, Math.max(entry.job.retryAt(entry.tries), now + 1), this.#options.clock.now());
    } else this.#finish(entry, end);
    this.#pump();
  }

  #finish(entry: Entry, end: RefreshEnd): void {
    const { job, listeners, queuedAt } = entry;
    this.#backlog.remove(entry);
    this.#tell(job.priority, end, this.#options.clock.now() - queuedAt, listeners);
  }

  #tell(priority: RefreshPriority, outcome: RefreshOutcome & RefreshEnd, waitedMs: number, to: readonly Told[]): void {
    const { events } = this.#options;
    events.refreshed(priority, outcome, waitedMs);
    for (const told of to) {
      try {
        told(outcome);
      } catch (error) {
        // The others are told all the same, and whoever ended it, and what waits, goes on.
        const message = 'The end of a refresh could not be told';
        events.notice('error', 'internal', message, { outcome, error: stackOf(error) });
      }
    }
  }

  /** The one timer: for what is put off, for a token, or to see whether the origin fares better. */
  #arm(now: number): void {
    let waitMs = Number.POSITIVE_INFINITY;
    for (const lane of this.#backlog.lanes) {
      if (lane.dueAt !== undefined) waitMs = Math.min(waitMs, lane.dueAt - now);
      if (lane.first !== undefined) waitMs = Math.min(waitMs, REFRESH_RECHECK_MS);
    }
    const tokenMs = this.#next(now) === undefined ? 0 : this.#bucket.waitMs(now);
    if (tokenMs > 0) waitMs = Math.min(waitMs, tokenMs);
    if (waitMs === Number.POSITIVE_INFINITY) {
      this.#disarm();
      return;
    }
    const inMs = Math.max(1, waitMs);
    const at = now + inMs;
    // Whatever it finds when it fires sooner, it is armed anew then: jobs that come meanwhile set no timer each.
    if (this.#timer !== undefined && this.#firesAt <= at) return;
    this.#disarm();
    this.#firesAt = at;
    this.#timer = this.#options.clock.after(inMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** Requests at once: each degree of strain halves it; where the breaker lets one through to see, one. */
function roomAt(strain: number, concurrency: number): number {
  return strain >= PROBING ? 1 : Math.max(1, concurrency >> strain);
}
