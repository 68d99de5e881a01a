/** The jobs of one priority: those that may begin, the hottest first, and those whose time has not come. */
import { Heap, type Heaped } from '../base/heap.js';
import type { Entry as Place } from '../base/under-way.js';
import type { RefreshPriority } from '../observe/events.js';
import type { RefreshEnd, RefreshJob } from './refresh-contract.js';

export type Told = (end: RefreshEnd) => void;

/** A job in the queue. */
export interface Entry extends Heaped {
  job: RefreshJob;
  /** Of two that are equally hot the first one goes first. */
  readonly order: number;
  readonly queuedAt: number;
  dueAt: number;
  tries: number;
  isRunning: boolean;
  /** Nobody wants it tried again. */
  isDropped: boolean;
  readonly listeners: Told[];
  /** Where it stands among all jobs, once it does. */
  place: Place<Entry> | undefined;
}

export class Lane {
  readonly priority: RefreshPriority;
  readonly #ready = new Heap<Entry>((one, other) =>
    one.job.heat === other.job.heat ? one.order < other.order : one.job.heat > other.job.heat,
  );
  readonly #delayed = new Heap<Entry>((one, other) => one.dueAt < other.dueAt);

  constructor(priority: RefreshPriority) {
    this.priority = priority;
  }

  get size(): number {
    return this.#ready.size + this.#delayed.size;
  }

  /** The next that may begin. */
  get first(): Entry | undefined {
    return this.#ready.first;
  }

  /** When the next of those that are put off may begin. */
  get dueAt(): number | undefined {
    return this.#delayed.first?.dueAt;
  }

  /** One to be given up where there is no room: never the hottest of several. */
  get least(): Entry | undefined {
    return this.#ready.leaf ?? this.#delayed.leaf;
  }

  add(entry: Entry, now: number): void {
    (entry.dueAt > now ? this.#delayed : this.#ready).push(entry);
  }

  remove(entry: Entry): void {
    this.#ready.remove(entry);
    this.#delayed.remove(entry);
  }

  /** Lets those begin whose time has come. */
  wake(now: number): void {
    for (let next = this.#delayed.first; next !== undefined && next.dueAt <= now; next = this.#delayed.first) {
      this.#delayed.remove(next);
      this.#ready.push(next);
    }
  }

  /** When the one that waits longest came. Looks at all: for whoever reads the metrics. */
  oldestAt(): number | undefined {
    let oldest: number | undefined;
    for (const heap of [this.#ready, this.#delayed]) {
      for (const { queuedAt } of heap) if (oldest === undefined || queuedAt < oldest) oldest = queuedAt;
    }
    return oldest;
  }
}
