/**
 * Keeps so many workers alive: starts each, hears that it still turns, kills one that hangs, and puts another in the place
 * of one that died, after a pause that grows while they die young. Where none lives any more it gives up.
 */
import type { Clock, Timer } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import {
  MAX_MISSED_BEATS,
  MAX_WORKER_CRASHES,
  WORKER_BEAT_MS,
  WORKER_RESTART_FIRST_MS,
  WORKER_RESTART_MAX_MS,
  WORKER_SOUND_MS,
  WORKER_START_TIMEOUT_MS,
} from '../base/worker-limits.js';
import type { Events } from '../observe/events.js';
import { type Answering, Channel, NoAnswerError } from './channel.js';
import type { Child, ChildEnd, Fork } from './fork.js';
import { type Beginning, readToPrimary, type ToPrimary, type ToWorker } from './messages.js';

/** A worker that serves, or is about to. */
export interface Member {
  readonly id: number;
  readonly pid: number | undefined;
  readonly child: Child;
  readonly channel: Channel<ToWorker>;
  state: 'starting' | 'serving' | 'leaving';
  /** It has said that it listens, and was told with what to begin. */
  hasBegun: boolean;
  /** Of clients, as it said last. */
  connections: number;
  readonly startedAt: number;
  servingSince: number | undefined;
  missedBeats: number;
  startLimit: Timer | undefined;
}

export interface SupervisorParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly fork: Fork;
  readonly count: number;
  /** With what a new worker in this place begins. */
  beginning(id: number, place: number): Beginning;
  answering(member: Member): Answering;
  heard(member: Member, message: ToPrimary): void;
  /** It has begun. Resolves once it may serve. */
  joined(member: Member): Promise<void>;
  /** One more counts as serving. */
  serves(): void;
  gone(member: Member): void;
  /** No worker lives any more, however often one is started. */
  failed(error: Error): void;
}

/** The place of one worker after another. */
interface Place {
  member: Member | undefined;
  /** Deaths in a row before they were sound. */
  crashes: number;
  restart: Timer | undefined;
}

/** What a terminal or a service manager sends to all processes at once, to end them. */
const SIGNALS_TO_ALL: ReadonlySet<string> = new Set(['SIGTERM', 'SIGINT']);

/** It was told to stop before all served. */
export class StartStoppedError extends Error {
  override readonly name = 'StartStoppedError';
}

export class WorkersFailedError extends Error {
  override readonly name = 'WorkersFailedError';
}

export class Supervisor {
  readonly #parts: SupervisorParts;
  readonly #places: Place[];
  #looks: Timer | undefined;
  #isStopping = false;
  /** While the first ones start: what ends that. */
  #starting: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#places = Array.from({ length: parts.count }, () => ({ member: undefined, crashes: 0, restart: undefined }));
  }

  /** All workers, in the order of their places. */
  get members(): readonly Member[] {
    return this.#places.flatMap(({ member }) => (member === undefined ? [] : [member]));
  }

  get serving(): readonly Member[] {
    return this.members.filter(({ state }) => state === 'serving');
  }

  memberOf(id: number): Member | undefined {
    return this.members.find((member) => member.id === id);
  }

  #placeOf(member: Member): number {
    return this.#places.findIndex((place) => place.member === member);
  }

  /**
   * Resolves once all serve. Rejects with a ConfigError where one cannot use its configuration, with a StartStoppedError
   * where it is stopped before.
   */
  start(): Promise<void> {
    this.#looks = this.#parts.clock.every(WORKER_BEAT_MS, () => this.#look());
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      for (const place of this.#places) this.#fork(place);
    });
  }

  #fork(place: Place): void {
    const { clock, fork } = this.#parts;
    place.restart = undefined;
    if (this.#isStopping) return;
    const child = fork({
      message: (value) => this.#heard(member, value),
      gone: (end) => this.#gone(place, member, end),
    });
    const channel: Channel<ToWorker> = new Channel<ToWorker>({
      clock,
      send: child.send,
      congested: () =>
        this.#kill(member, 'worker-congested', 'A worker does not take what it is told; it is replaced.'),
      answering: (name, asked) => this.#parts.answering(member)(name, asked),
    });
    const member: Member = {
      id: child.id,
      pid: child.pid,
      child,
      channel,
      state: 'starting',
      hasBegun: false,
      connections: 0,
      startedAt: clock.now(),
      servingSince: undefined,
      missedBeats: 0,
      startLimit: undefined,
    };
    place.member = member;
    // A process that hangs before it can say anything.
    member.startLimit = clock.after(WORKER_START_TIMEOUT_MS, () => {
      this.#kill(member, 'worker-not-started', 'A worker did not begin to serve in time.');
    });
  }

  async #begin(member: Member, place: number): Promise<void> {
    try {
      await member.channel.ask('begin', this.#parts.beginning(member.id, place), WORKER_START_TIMEOUT_MS);
      await this.#parts.joined(member);
    } catch (error) {
      if (error instanceof ConfigError) this.#starting?.reject(error);
      if (!(error instanceof NoAnswerError) || !member.channel.isGone) {
        this.#kill(member, 'worker-not-started', 'A worker could not begin to serve.', { error });
      }
      return;
    }
    if (member.channel.isGone || this.#isStopping) return;
    member.startLimit?.cancel();
    member.state = 'serving';
    member.servingSince = this.#parts.clock.now();
    member.channel.tell({ kind: 'serve' });
    this.#parts.serves();
    if (this.serving.length < this.#places.length) return;
    this.#starting?.resolve();
    this.#starting = undefined;
  }

  #heard(member: Member, value: unknown): void {
    const message = readToPrimary(value);
    if (message === undefined) {
      this.#parts.events.notice('error', 'worker-message', 'A worker said something that is no message.');
      return;
    }
    member.missedBeats = 0;
    if (message.kind === 'beat' || message.kind === 'took') member.connections = message.connections;
    if (message.kind === 'hello') {
      member.hasBegun = true;
      void this.#begin(member, this.#placeOf(member));
    } else if (!member.channel.heard(message)) this.#parts.heard(member, message);
  }

  /** By beats, not by the time: where this process stood still as well, nobody is to blame. */
  #look(): void {
    for (const member of this.members) {
      if (member.state === 'starting') continue;
      if (++member.missedBeats > MAX_MISSED_BEATS && member.state === 'serving') {
        this.#kill(member, 'worker-hung', 'A worker gives no sign of life; it is replaced.');
      }
    }
  }

  #kill(member: Member, code: string, message: string, more: Readonly<Record<string, unknown>> = {}): void {
    if (this.memberOf(member.id) !== member || this.#isStopping) return;
    this.#parts.events.notice('error', code, message, { pid: member.pid, ...more });
    member.child.kill();
  }

  #gone(place: Place, member: Member, end: ChildEnd): void {
    member.channel.gone();
    member.startLimit?.cancel();
    if (place.member === member) place.member = undefined;
    this.#parts.gone(member);
    if (this.#isStopping) return;
    const now = this.#parts.clock.now();
    const isSound = member.servingSince !== undefined && now - member.servingSince >= WORKER_SOUND_MS;
    place.crashes = isSound ? 0 : place.crashes + 1;
    const delayMs = Math.min(WORKER_RESTART_MAX_MS, WORKER_RESTART_FIRST_MS * 2 ** Math.max(0, place.crashes - 1));
    const { exitCode, signal } = end;
    const facts = { pid: member.pid, exitCode, signal, crashes: place.crashes, againInMs: delayMs };
    const say = (): void =>
      this.#parts.events.notice('error', 'worker-died', 'A worker died; another takes its place.', facts);
    // A signal to all processes may be heard here after what it did to a worker that was not deaf to it yet.
    const isForAll = !member.hasBegun && signal !== null && SIGNALS_TO_ALL.has(signal);
    if (!isForAll) say();
    if (this.#isLost()) {
      this.#giveUp();
      return;
    }
    place.restart = this.#parts.clock.after(delayMs, () => {
      if (isForAll) say();
      this.#fork(place);
    });
  }

  /** Nobody serves, and no place has had a worker that was sound for too often. */
  #isLost(): boolean {
    return this.serving.length === 0 && this.#places.every(({ crashes }) => crashes >= MAX_WORKER_CRASHES);
  }

  #giveUp(): void {
    const error = new WorkersFailedError(
      `no worker stays alive: each of the ${this.#places.length} died ${MAX_WORKER_CRASHES} times in a row; the log says how`,
    );
    this.#starting?.reject(error);
    this.#starting = undefined;
    this.#parts.failed(error);
  }

  /** No more are started, and those that end are not replaced. */
  stop(): void {
    this.#isStopping = true;
    this.#looks?.cancel();
    for (const place of this.#places) place.restart?.cancel();
    this.#starting?.reject(new StartStoppedError('stopped while starting'));
    this.#starting = undefined;
  }
}
