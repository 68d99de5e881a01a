/**
 * What state the disk and the shared tier are in for the workers together: each finds for itself that they cannot be used, or can
 * again, and each change is told once. A state begins with the first worker that is in it, and is over with the last.
 */
import type { Events } from '../observe/events.js';
import { type Notice, noticeEnd, type State, stateOf } from '../observe/states.js';

export class CommonStates {
  readonly #events: Events;
  /** Workers that are in a state. */
  readonly #inIt = new Map<State, Set<number>>();
  /** What was told of a state last: true, that it has begun. */
  readonly #told = new Map<State, boolean>();

  constructor(events: Events) {
    this.#events = events;
  }

  /** A worker says that it is in a state, or is no more. */
  heard(worker: number, notice: Notice): void {
    const of = stateOf(notice.code);
    if (of === undefined) return;
    const { state, isOver } = of;
    const members = this.#inIt.get(state) ?? new Set();
    this.#inIt.set(state, members);
    if (isOver) members.delete(worker);
    else members.add(worker);
    // What is gone refuses nothing, and that says more.
    if (state === 'shared-down' && !isOver) this.#leave('shared-refusing', worker);
    const isCommon = members.size > 0;
    if (this.#told.get(state) === isCommon) return;
    this.#told.set(state, isCommon);
    this.#events.notice(notice.level, notice.code, notice.message, notice.fields);
  }

  /** Returns whether it was the last one there. */
  #leave(state: State, worker: number): boolean {
    const members = this.#inIt.get(state);
    if (members?.delete(worker) !== true || members.size > 0) return false;
    this.#told.set(state, false);
    return true;
  }

  /** A worker is gone. `hasOthers`: some serve, and so a state that was its own is over; else nobody knows. */
  gone(worker: number, hasOthers: boolean): void {
    for (const state of this.#inIt.keys()) {
      if (!this.#leave(state, worker)) continue;
      if (hasOthers) noticeEnd(this.#events, state);
      else this.#told.delete(state);
    }
  }
}
