/** All workers, and what they have between them: the port, the leases, the operations. */
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { ACCEPTS_SHARE_OF_DRAIN } from '../base/limits.js';
import {
  LAST_ANSWERS_MS,
  LAST_ANSWERS_SHARE,
  WORKER_ANSWER_TIMEOUT_MS,
  WORKER_CLOSE_TIMEOUT_MS,
  WORKER_START_TIMEOUT_MS,
} from '../base/worker-limits.js';
import type { Address } from '../config/address.js';
import type { Target } from '../engine/operations.js';
import type { Events } from '../observe/events.js';
import type { Answering } from './channel.js';
import { NoAnswerError } from './channel.js';
import type { Fork } from './fork.js';
import { Handovers } from './handover.js';
import { LeaseTable } from './lease-table.js';
import { Listening } from './listening.js';
import type { Asked, Beginning, BoundAddress, ToPrimary, ToWorker, WireSource } from './messages.js';
import { WholeOperations } from './operations.js';
import { type OutputSink, passLines } from './output.js';
import { CommonStates } from './states.js';
import { type Member, StartStoppedError, Supervisor } from './supervisor.js';

export interface CrewParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly fork: Fork;
  readonly output: OutputSink;
  readonly count: number;
  readonly version: string;
  readonly pseudonym: string;
  /** The configuration in force. */
  source(): WireSource;
  /** `limits.connections` of it. */
  connectionLimit(): number;
  gone(worker: number): void;
  failed(error: Error): void;
}

/** The longest name of a socket that every system takes, less that of a worker's own. */
const MAX_DIRECTORY_LENGTH = 80;

export class Crew {
  readonly operations: WholeOperations;
  readonly listening: Listening;
  readonly leases: LeaseTable;
  readonly handovers: Handovers;
  /** Workers that died since the start. */
  deathCount = 0;
  readonly #parts: CrewParts;
  readonly #states: CommonStates;
  readonly #supervisor: Supervisor;
  /** Where sockets are; another one where that was cleaned away. */
  #directory: string;
  /** The socket of each worker that was started. */
  readonly #paths = new Map<number, string>();
  /** Those that have prepared the next configuration. */
  #preparing: readonly Member[] | undefined;
  /** Configurations put in force so far: a worker that began with an earlier one takes the present one first. */
  #generation = 0;
  readonly #begunWith = new Map<number, number>();
  #isEnding = false;
  #whenGone: (() => void) | undefined;

  constructor(parts: CrewParts) {
    this.#parts = parts;
    this.#states = new CommonStates(parts.events);
    this.#directory = makeDirectory();
    this.operations = new WholeOperations(
      () => this.#reached(),
      () => this.#supervisor.members,
    );
    this.leases = new LeaseTable({
      tell: (worker, message) => void this.memberOf(worker)?.channel.tell(message),
      tellOthers: (worker, message) => this.#tellOthers(worker, message),
      pathOf: (worker) => (this.memberOf(worker) === undefined ? undefined : this.#paths.get(worker)),
      heir: () => this.serving[0]?.id,
    });
    const { clock, events } = parts;
    const connectionLimit = (): number => parts.connectionLimit();
    this.handovers = new Handovers({ clock, events, connectionLimit, members: () => this.serving });
    this.listening = new Listening(parts.events, parts.clock, (handle) => this.handovers.take(handle));
    this.#supervisor = new Supervisor({
      clock: parts.clock,
      events: parts.events,
      fork: (listener) => {
        const child = parts.fork(listener);
        if (child.output !== undefined) passLines(child.output, parts.output);
        return child;
      },
      count: parts.count,
      beginning: (id, place) => this.#beginning(id, place),
      answering: (member) => this.#answering(member),
      heard: (member, message) => this.#heard(member, message),
      joined: (member) => this.#joined(member),
      serves: () => this.#serves(),
      gone: (member) => this.#gone(member),
      failed: parts.failed,
    });
  }

  get serving(): readonly Member[] {
    return this.#supervisor.serving;
  }

  get wanted(): number {
    return this.#parts.count;
  }

  get address(): BoundAddress {
    return this.listening.address;
  }

  memberOf(id: number): Member | undefined {
    return this.#supervisor.memberOf(id);
  }

  /** For people. */
  get told(): readonly object[] {
    return this.#supervisor.members.map(({ id, pid, state, connections }) => ({ id, pid, state, connections }));
  }

  /** Those that hold something that an operation is about. */
  #reached(): readonly Member[] {
    return this.#supervisor.members.filter(({ state }) => state !== 'starting');
  }

  #newPath(worker: number): string {
    if (!existsSync(this.#directory)) this.#directory = makeDirectory();
    const path = join(this.#directory, `${worker}.sock`);
    this.#paths.set(worker, path);
    return path;
  }

  #tellOthers(worker: number, message: ToWorker): void {
    for (const member of this.#supervisor.members) if (member.id !== worker) member.channel.tell(message);
  }

  #beginning(id: number, place: number): Beginning {
    const { clock, count, pseudonym, version, source } = this.#parts;
    const { address } = this;
    this.#begunWith.set(id, this.#generation);
    const { sequence } = this.operations;
    const isFirst = place === 0;
    const relayPath = this.#newPath(id);
    const now = clock.now();
    return { member: id, source: source(), address, count, isFirst, pseudonym, version, relayPath, sequence, now };
  }

  /** Rejects where a configuration cannot be used, or an address not be had. */
  async start(listen: Address): Promise<void> {
    await this.listening.open(listen);
    if (this.#isEnding) {
      await this.listening.stop(WORKER_CLOSE_TIMEOUT_MS);
      throw new StartStoppedError('stopped while starting');
    }
    await this.#supervisor.start();
    this.handovers.goOn();
  }

  /** Has the one that does so begin a round of warming. */
  warm(): void {
    const [first] = this.serving;
    first?.channel.ask('warm', {}, WORKER_ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      this.#parts.events.notice('warn', 'warm-not-begun', 'A round of warming could not be begun.', { error });
    });
  }

  /** A configuration may have been put in force while it began. */
  async #joined(member: Member): Promise<void> {
    while (this.#begunWith.get(member.id) !== this.#generation) {
      this.#begunWith.set(member.id, this.#generation);
      await this.#ask(member, 'prepare', { source: this.#parts.source(), address: this.address });
      await this.#ask(member, 'commit', {});
    }
  }

  /** One more does: what waited for one can be had. */
  #serves(): void {
    this.handovers.goOn();
    this.leases.bequeath();
  }

  #ask<Q extends 'prepare' | 'commit' | 'abandon'>(member: Member, name: Q, asked: Asked<Q>): Promise<unknown> {
    return member.channel.ask(name, asked, name === 'prepare' ? WORKER_START_TIMEOUT_MS : WORKER_ANSWER_TIMEOUT_MS);
  }

  /** Every worker has what the configuration needs, or rejects and none has. */
  async prepare(source: WireSource, address: BoundAddress): Promise<void> {
    const asked = this.serving;
    const results = await Promise.allSettled(asked.map((member) => this.#ask(member, 'prepare', { source, address })));
    this.#preparing = asked;
    for (const [at, result] of results.entries()) {
      if (result.status === 'fulfilled') continue;
      // One that died meanwhile does not count: its successor begins with what is in force then.
      if (result.reason instanceof NoAnswerError && asked[at]?.channel.isGone === true) continue;
      this.abandon();
      throw result.reason;
    }
  }

  commit(): void {
    this.#generation++;
    for (const member of this.#preparing ?? []) {
      this.#begunWith.set(member.id, this.#generation);
      this.#ask(member, 'commit', {}).catch((error: unknown) => this.#outOfStep(member, error));
    }
    this.#preparing = undefined;
  }

  abandon(): void {
    for (const member of this.#preparing ?? []) {
      this.#ask(member, 'abandon', {}).catch((error: unknown) => this.#outOfStep(member, error));
    }
    this.#preparing = undefined;
  }

  /** It has not said that it has what the others have: another takes its place. */
  #outOfStep(member: Member, error: unknown): void {
    if (member.channel.isGone) return;
    const message = 'A worker did not follow a reload; it is replaced.';
    this.#parts.events.notice('error', 'worker-out-of-step', message, { pid: member.pid, error });
    member.child.kill();
  }

  #answering(member: Member): Answering {
    return async (name, asked) => {
      const { target, operation } = asked as { target: Target; operation: 'purge' | 'expire' };
      if (name === 'operateAll') return (await this.operations[operation](target)) ?? null;
      if (name !== 'refreshAll') throw new Error(`${name} is no question of worker ${member.id}`);
      const run = await this.operations.refresh(target, { fill: false });
      return run === undefined || run === 'busy' ? (run ?? null) : { objects: run.objects };
    };
  }

  #heard(member: Member, message: ToPrimary): void {
    switch (message.kind) {
      case 'took':
        this.handovers.took(message.connection);
        return;
      case 'take':
        this.leases.take(member.id, message);
        return;
      case 'opened':
        this.leases.opened(member.id, message.lease);
        return;
      case 'release':
        this.leases.release(member.id, message.lease, message.outcome, message.sequence, message.isOwed);
        return;
      case 'settled':
        this.leases.settled(member.id, message.leases);
        return;
      case 'announced':
        this.leases.announced(member.id, message.outcome, message.sequence);
        return;
      case 'quit':
        this.leases.quit(member.id, message.id);
        return;
      case 'invalidated':
        this.operations.invalidated(member, message.keys);
        return;
      case 'noticed':
        this.#states.heard(member.id, message);
        return;
      case 'refreshed':
        this.operations.refreshed(member, message);
        return;
      default:
    }
  }

  #gone(member: Member): void {
    this.leases.gone(member.id);
    this.handovers.gone(member);
    this.operations.gone(member);
    this.#begunWith.delete(member.id);
    const path = this.#paths.get(member.id);
    if (path !== undefined) rmSync(path, { force: true });
    this.#paths.delete(member.id);
    this.#parts.gone(member.id);
    if (this.#isEnding) {
      if (this.#supervisor.members.length === 0) this.#whenGone?.();
      return;
    }
    this.deathCount++;
    this.#states.gone(member.id, this.serving.length > 0);
  }

  /**
   * Accepts nothing more; what runs finishes. `timeoutMs` is for all of it, from now on: to let in who has come, to give
   * workers what was accepted, and for them to answer.
   */
  async drain(timeoutMs: number): Promise<void> {
    const { clock } = this.#parts;
    const until = clock.steady() + timeoutMs;
    await this.listening.stop(timeoutMs * ACCEPTS_SHARE_OF_DRAIN);
    await this.handovers.done(until - Math.min(LAST_ANSWERS_MS, timeoutMs * LAST_ANSWERS_SHARE));
    const leftMs = Math.max(0, until - clock.steady());
    await this.#end('drain', { timeoutMs: leftMs }, leftMs + WORKER_CLOSE_TIMEOUT_MS);
  }

  async close(): Promise<void> {
    await this.listening.stop(WORKER_CLOSE_TIMEOUT_MS);
    this.handovers.close();
    await this.#end('close', {}, WORKER_CLOSE_TIMEOUT_MS);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Resolves once all are gone; who takes longer than `atMostMs` is killed. */
  async #end<Q extends 'drain' | 'close'>(how: Q, asked: Asked<Q>, atMostMs: number): Promise<void> {
    this.#isEnding = true;
    this.#supervisor.stop();
    const { members } = this.#supervisor;
    if (members.length === 0) return;
    const gone = new Promise<void>((resolve) => {
      this.#whenGone = resolve;
    });
    const late = this.#parts.clock.after(atMostMs, () => {
      for (const member of this.#supervisor.members) member.child.kill();
    });
    for (const member of members) {
      member.state = 'leaving';
      // It holds nothing, and may be long in coming to listen.
      if (!member.hasBegun) {
        member.child.kill();
        continue;
      }
      // That it is gone, one way or the other, is what counts.
      member.channel.ask(how, asked, atMostMs).catch(() => {});
    }
    await gone;
    late.cancel();
  }
}

/** For this user alone. */
function makeDirectory(): string {
  const base = tmpdir().length <= MAX_DIRECTORY_LENGTH ? tmpdir() : '/tmp';
  const directory = mkdtempSync(join(base, 'patina-'));
  chmodSync(directory, 0o700);
  return directory;
}
