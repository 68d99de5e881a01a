/**
 * Several workers in one process: each an engine with a memory of its own, all over one disk and one table of leases, with
 * one fake clock. Their messages go from hand to hand as they would between processes, and can be held up.
 *
 *   const crew = startSiblings(t);
 *   const [one, other] = crew.workers;
 *   one.walk.get('/a'); await turns();
 *   one.walk.origin.last.respond(200, {...}, 'hello'); await turns();
 *   await crew.written();                                // all that waits is on disk
 *   crew.kill(one);                                      // as kill -9 would
 */
import type { Test } from 'tap';
import type { FoundBytes } from '../../lib/engine/leases-contract.js';
import type { Siblings } from '../../lib/engine/siblings-contract.js';
import { encodeRecord } from '../../lib/object/record.js';
import type { StoredResponse } from '../../lib/object/stored.js';
import type { Part } from '../../lib/proxy.js';
import { Channel } from '../../lib/workers/channel.js';
import { LeaseTable } from '../../lib/workers/lease-table.js';
import { responseOf } from '../../lib/workers/lease-wire.js';
import { WorkerLeases } from '../../lib/workers/leases.js';
import type { ToPrimary, ToWorker } from '../../lib/workers/messages.js';
import { WholeOperations } from '../../lib/workers/operations.js';
import type { RelayAnswer } from '../../lib/workers/relay-client.js';
import { Sequence } from '../../lib/workers/sequence.js';
import type { Member } from '../../lib/workers/supervisor.js';
import { WorkerTasks } from '../../lib/workers/worker-tasks.js';
import { FakeClock } from './clock.js';
import { type DiskBench, makeDirectory, openDisk } from './disk.js';
import { makeWalk, type Walk, type WalkOptions } from './walk.js';

export interface SiblingOptions extends WalkOptions {
  readonly workers?: number;
  readonly hasDisk?: boolean;
}

export interface SiblingWorker {
  readonly id: number;
  readonly walk: Walk;
  readonly leases: WorkerLeases;
  readonly sequence: Sequence;
  /** The disk, as this worker has it. */
  readonly bench: DiskBench | undefined;
  /** As the primary process sees it. */
  readonly member: Member;
  isAlive: boolean;
  /** What it was told, in order. */
  readonly heard: ToWorker[];
}

export class SiblingCrew {
  readonly clock: FakeClock;
  readonly table: LeaseTable;
  readonly operations = new WholeOperations(
    () => this.#members('serving'),
    () => this.#members(),
  );
  readonly workers: SiblingWorker[] = [];
  readonly directory: string | undefined;
  /** Messages to workers wait until let() is called. */
  isHeld = false;
  #held: (() => void)[] = [];
  /** What a worker gives to others, by worker: breaks off where that one dies. */
  readonly #breaks = new Map<number, (() => void)[]>();
  readonly #t: Test;
  readonly #options: SiblingOptions;

  constructor(t: Test, options: SiblingOptions) {
    this.#t = t;
    this.#options = options;
    this.clock = options.clock ?? new FakeClock();
    this.directory = options.hasDisk === false ? undefined : makeDirectory(t);
    this.table = new LeaseTable({
      tell: (id, message) => this.#deliver(id, message),
      tellOthers: (but, message) => {
        for (const { id, isAlive } of this.workers) if (isAlive && id !== but) this.#deliver(id, message);
      },
      pathOf: (id) => (this.#alive(id) === undefined ? undefined : String(id)),
      heir: () => this.workers.find(({ isAlive }) => isAlive)?.id,
    });
    for (let count = options.workers ?? 2; count > 0; count--) this.start();
  }

  /** One more. */
  start(): SiblingWorker {
    const { clock, directory } = this;
    const id = this.workers.length + 1;
    const sequence = new Sequence(0);
    const leases = new WorkerLeases({
      clock,
      sequence,
      tell: (message) => this.#tell(id, message),
      relay: async (path, ask) => this.#relay(path, ask),
    });
    const bench = directory === undefined ? undefined : openDisk(this.#t, { clock, directory });
    const walk = makeWalk({
      ...this.#options,
      clock,
      leases,
      siblings: this.#siblings(id),
      ...(bench === undefined ? {} : { store: bench.store }),
    });
    leases.open(walk.engine);
    const member = this.#member(id, walk, sequence);
    const worker = { id, walk, leases, sequence, bench, member, isAlive: true, heard: [] };
    this.workers.push(worker);
    return worker;
  }

  #siblings(id: number): Siblings {
    return {
      operations: this.operations,
      expire: (target) => this.operations.expire(target),
      invalidated: (url) => {
        const by = this.#alive(id)?.member;
        if (by !== undefined) setImmediate(() => this.operations.invalidated(by, [url]));
      },
    };
  }

  #members(state?: Member['state']): Member[] {
    const members = this.workers.filter(({ isAlive }) => isAlive).map(({ member }) => member);
    return state === undefined ? members : members.filter((member) => member.state === state);
  }

  /** With a line on which questions are answered as the process of the worker would. */
  #member(id: number, walk: Walk, sequence: Sequence): Member {
    const { clock } = this;
    const tasks = new WorkerTasks({
      // Of a part nothing else is asked here.
      part: { engine: walk.engine } as Part,
      clock,
      sequence,
      tell: (message) => {
        const by = this.#alive(id)?.member;
        if (message.kind !== 'refreshed' || by === undefined) return;
        setImmediate(() => this.operations.refreshed(by, message));
      },
    });
    const channel: Channel<ToWorker> = new Channel<ToWorker>({
      clock,
      congested: () => {},
      answering: async () => null,
      send: (message, done) => {
        done();
        const told = structuredClone(message) as ToWorker;
        setImmediate(() => {
          if (this.#alive(id) === undefined) return;
          if (told.kind === 'question') {
            tasks.answer(told.name, told.asked).then(
              (value) => channel.heard(structuredClone({ kind: 'answer', id: told.id, value })),
              (error: unknown) => channel.heard({ kind: 'failed', id: told.id, problems: [String(error)] } as never),
            );
          } else if (told.kind === 'invalidate') tasks.invalidate(told.keys, told.sequence);
          else if (told.kind === 'pushFail') tasks.pushFail(told.push);
        });
      },
    });
    return {
      id,
      pid: id,
      child: { id, pid: id, output: undefined, send: () => {}, give: () => {}, kill: () => {} },
      channel,
      state: 'serving',
      hasBegun: true,
      connections: 0,
      startedAt: clock.now(),
      servingSince: clock.now(),
      missedBeats: 0,
      startLimit: undefined,
    };
  }

  #alive(id: number): SiblingWorker | undefined {
    return this.workers.find((worker) => worker.id === id && worker.isAlive);
  }

  #tell(id: number, message: ToPrimary): boolean {
    if (this.#alive(id) === undefined) return false;
    const told = structuredClone(message);
    setImmediate(() => {
      if (this.#alive(id) === undefined) return;
      if (told.kind === 'take') this.table.take(id, told);
      else if (told.kind === 'opened') this.table.opened(id, told.lease);
      else if (told.kind === 'announced') this.table.announced(id, told.outcome, told.sequence);
      else if (told.kind === 'quit') this.table.quit(id, told.id);
      else if (told.kind === 'release') this.table.release(id, told.lease, told.outcome, told.sequence, told.isOwed);
      else if (told.kind === 'settled') this.table.settled(id, told.leases);
    });
    return true;
  }

  #deliver(id: number, message: ToWorker): void {
    const told = structuredClone(message);
    const go = (): void => {
      const worker = this.#alive(id);
      worker?.heard.push(told);
      worker?.leases.heard(told);
    };
    if (this.isHeld) this.#held.push(go);
    else setImmediate(go);
  }

  /** Delivers what was held up. */
  let(): void {
    this.isHeld = false;
    for (const go of this.#held.splice(0)) go();
  }

  #relay(path: string, ask: Parameters<WorkerLeases['give']>[0]): RelayAnswer {
    const given = this.#alive(Number(path))?.leases.give(structuredClone(ask)) ?? 'broken';
    if (typeof given === 'string') return given;
    const response = responseOf(encodeRecord(given));
    if (response === undefined) return 'broken';
    const breaks = this.#breaks.get(Number(path)) ?? [];
    this.#breaks.set(Number(path), breaks);
    return { response, totalBytes: given.body.totalBytes, bytes: relayed(given, breaks) };
  }

  /** All that waits in any of them is on disk. */
  async written(): Promise<void> {
    for (const { bench, isAlive } of this.workers) if (isAlive) await bench?.tier.settled();
  }

  /** Orders that the writers were sent to write records, by worker. */
  writes(): { response: number; header: number }[] {
    return this.workers.map(({ bench }) => ({ ...(bench?.tier.stats.writes ?? { response: 0, header: 0 }) }));
  }

  kill(worker: SiblingWorker): void {
    worker.isAlive = false;
    for (const breakOff of this.#breaks.get(worker.id) ?? []) breakOff();
    if (worker.bench !== undefined) worker.bench.fail = 'killed';
    worker.member.channel.gone();
    this.table.gone(worker.id);
    this.operations.gone(worker.member);
  }

  /** Requests to the origin by all of them. */
  get asked(): number {
    return this.workers.reduce((sum, { walk }) => sum + walk.origin.count, 0);
  }
}

/** The body of a response, as it comes; `breaks`: where to put what breaks it off. */
function relayed(given: StoredResponse, breaks: (() => void)[]): FoundBytes {
  const reader = given.body.open();
  let isOver = false;
  return {
    fills() {},
    read(to) {
      const pump = (): void => {
        while (!isOver) {
          const read = reader.read();
          if (read === 'later') return;
          isOver = read === 'end' || read === 'failed';
          if (read === 'end') to.end();
          else if (read === 'failed') to.fail();
          else to.data(Buffer.from(read));
        }
        reader.close();
      };
      reader.onReadable(pump);
      queueMicrotask(pump);
      breaks.push(() => {
        if (isOver) return;
        isOver = true;
        reader.close();
        to.fail();
      });
    },
    pause() {},
    resume() {},
    abort() {
      isOver = true;
      reader.close();
    },
  };
}

export function startSiblings(t: Test, options: SiblingOptions = {}): SiblingCrew {
  return new SiblingCrew(t, options);
}
