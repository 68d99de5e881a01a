/**
 * The jobs of the refresh queue: those that wait, in order of urgency and heat, and those that are under way. Each id is in it once, and
 * what all of them hold has a bound.
 */
import { UnderWay } from '../base/under-way.js';
import { REFRESH_PRIORITIES, type RefreshPriority } from '../observe/events.js';
import type { QueueStats, RefreshJob } from './refresh-contract.js';
import { type Entry, Lane, type Told } from './refresh-lane.js';

export class RefreshBacklog {
  readonly #maxCount: number;
  readonly #maxBytes: number;
  /** The most urgent first. */
  readonly lanes = REFRESH_PRIORITIES.map((priority) => new Lane(priority));
  readonly #entries = new UnderWay<Entry>();
  #bytes = 0;
  #order = 0;

  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  /** Of those that wait or are under way. */
  get count(): number {
    return this.#entries.count;
  }

  find(id: string): Entry | undefined {
    return this.#entries.find(id);
  }

  all(): Iterable<Entry> {
    return this.#entries.all();
  }

  /** Whether there would be room for it if there were nothing else. */
  mayHold(job: RefreshJob): boolean {
    return job.bytes <= this.#maxBytes;
  }

  hasRoomFor(job: RefreshJob): boolean {
    return this.#entries.count < this.#maxCount && this.#bytes + job.bytes <= this.#maxBytes;
  }

  /** What is less urgent than a job, or as urgent and less hot, and waits. */
  victimFor(job: RefreshJob): Entry | undefined {
    for (const lane of this.lanes.toReversed()) {
      if (rankOf(lane.priority) < rankOf(job.priority)) return undefined;
      const { least } = lane;
      if (least === undefined) continue;
      return lane.priority !== job.priority || least.job.heat < job.heat ? least : undefined;
    }
    return undefined;
  }

  /** `told` hears of its end. */
  add(job: RefreshJob, now: number, told: Told | undefined): Entry {
    const entry: Entry = {
      job,
      order: this.#order++,
      queuedAt: now,
      dueAt: job.notBefore,
      tries: 0,
      isRunning: false,
      isDropped: false,
      listeners: told === undefined ? [] : [told],
      heapAt: -1,
      place: undefined,
    };
    entry.place = this.#entries.add(job.id, entry);
    this.#bytes += job.bytes;
    this.#laneOf(entry).add(entry, now);
    return entry;
  }

  /** Another job for the same work takes the place of one that waits, and has all its tries. */
  renew(entry: Entry, job: RefreshJob, now: number): void {
    this.#laneOf(entry).remove(entry);
    this.#bytes += job.bytes - entry.job.bytes;
    entry.job = job;
    entry.tries = 0;
    entry.dueAt = job.notBefore;
    this.#laneOf(entry).add(entry, now);
  }

  /** It waits no more. */
  begin(entry: Entry): void {
    this.#laneOf(entry).remove(entry);
  }

  /** It waits again, until then. */
  putOff(entry: Entry, dueAt: number, now: number): void {
    entry.dueAt = dueAt;
    this.#laneOf(entry).add(entry, now);
  }

  remove(entry: Entry): void {
    this.#laneOf(entry).remove(entry);
    if (entry.place !== undefined) this.#entries.delete(entry.place);
    this.#bytes -= entry.job.bytes;
  }

  /** How many wait, and how long the first of them has. */
  waiting(now: number): Pick<QueueStats, 'depth' | 'oldestMs'> {
    const depth = { stale: 0, cold: 0, warm: 0, ahead: 0 };
    const oldestMs = { stale: 0, cold: 0, warm: 0, ahead: 0 };
    for (const lane of this.lanes) {
      depth[lane.priority] = lane.size;
      oldestMs[lane.priority] = now - (lane.oldestAt() ?? now);
    }
    return { depth, oldestMs };
  }

  #laneOf({ job }: Entry): Lane {
    return this.lanes[rankOf(job.priority)] as Lane;
  }
}

/** 0 is the most urgent. */
export function rankOf(priority: RefreshPriority): number {
  return REFRESH_PRIORITIES.indexOf(priority);
}
