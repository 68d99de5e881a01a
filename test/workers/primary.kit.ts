/**
 * The primary process of several workers that are none: what they are told is noted, and they do what a test has them do.
 *
 *   const primary = await openPrimary(t, { workers: 2 });
 *   primary.come(3);                           // clients that the kernel accepts
 *   await until(() => primary.given.length === 3);
 *   primary.takeAll();
 */
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';
import { SILENT } from '../../lib/observe/events.js';
import { Crew } from '../../lib/workers/crew.js';
import type { ChildListener, Fork } from '../../lib/workers/fork.js';
import { FakeClock } from '../kit/clock.js';

interface Told {
  readonly kind: string;
  readonly id: number;
  readonly name: string;
  readonly asked: object;
}

/** A question that a worker was asked, and has not answered. */
export interface Question {
  readonly worker: number;
  readonly name: string;
  readonly asked: object;
}

interface Given {
  readonly worker: number;
  readonly connection: number;
}

export class Primary {
  readonly clock = new FakeClock();
  /** Codes of the notices. */
  readonly notices: string[] = [];
  readonly asked: Question[] = [];
  /** Connections that a worker was given and has not taken. */
  readonly given: Given[] = [];
  readonly killed: number[] = [];
  readonly clients: Socket[] = [];
  /** Clients that were reset. */
  reset = 0;
  /** Whether each takes at once what it is given. */
  areQuick = false;
  readonly crew: Crew;
  readonly #workers = new Map<number, ChildListener>();

  constructor(count: number) {
    this.crew = new Crew({
      clock: this.clock,
      events: { ...SILENT, notice: (_level, code) => void this.notices.push(code) },
      fork: this.#fork,
      output: { pass: () => true, flush: async () => undefined },
      count,
      version: '0',
      pseudonym: 'patina-test',
      source: () => ({ written: {}, file: undefined, originUrl: 'http://127.0.0.1:1', access: 'off' }),
      connectionLimit: () => 1_000,
      gone: () => undefined,
      failed: (error) => {
        throw error;
      },
    });
  }

  readonly #fork: Fork = (listener) => {
    const worker = this.#workers.size + 1;
    this.#workers.set(worker, listener);
    setImmediate(() => listener.message({ kind: 'hello' }));
    return {
      id: worker,
      pid: undefined,
      output: undefined,
      send: (message, done) => {
        done();
        this.#told(worker, message as Told);
      },
      give: (message) => {
        this.given.push({ worker, connection: (message as Given).connection });
        if (this.areQuick) setImmediate(() => this.takeAll());
      },
      kill: () => {
        this.killed.push(worker);
        this.ends(worker);
      },
    };
  };

  #told(worker: number, { kind, id, name, asked }: Told): void {
    if (kind !== 'question') return;
    if (name === 'begin') {
      const answer = { kind: 'answer', id, value: { problems: [] } };
      setImmediate(() => this.#workers.get(worker)?.message(answer));
    } else this.asked.push({ worker, name, asked });
  }

  /** Its process is over. */
  ends(worker: number): void {
    setImmediate(() => this.#workers.get(worker)?.gone({ exitCode: 0, signal: null }));
  }

  takeAll(): void {
    for (const { worker, connection } of this.given.splice(0)) {
      this.#workers.get(worker)?.message({ kind: 'took', connection, connections: 1 });
    }
  }

  /** So many clients connect. */
  come(count: number): void {
    for (let at = 0; at < count; at++) {
      const client = connect(this.crew.address);
      client.on('error', () => this.reset++);
      this.clients.push(client);
    }
  }
}

export async function openPrimary(t: Test, { workers }: { readonly workers: number }): Promise<Primary> {
  const primary = new Primary(workers);
  t.teardown(async () => {
    for (const client of primary.clients) client.destroy();
    const closed = primary.crew.close();
    for (let worker = 1; worker <= workers; worker++) primary.ends(worker);
    await closed;
  });
  await primary.crew.start({ host: '127.0.0.1', port: 0 });
  return primary;
}
