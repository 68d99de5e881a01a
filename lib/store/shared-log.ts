/**
 * The log of operations that machines share: what is done here is written there, also after the tier was gone; what was
 * done elsewhere is learned from it, also what happened while nothing could be heard.
 */
import {
  MAX_SHARED_LOG,
  MAX_SHARED_PENDING_OPS,
  SHARED_CLOCK_MARGIN_MS,
  SHARED_LOG_PAGE,
} from '../base/shared-limits.js';
import type { SharedClock } from './shared-clock.js';
import type { OpsPage, SharedTable } from './shared-contract.js';
import type { SharedGuard } from './shared-guard.js';
import { OpMemory, readOp, type SharedOp, type SharedReach, writeOp } from './shared-ops.js';

export interface SharedLogOptions {
  readonly table: SharedTable;
  readonly guard: SharedGuard;
  readonly clock: SharedClock;
  /** The name of this process. */
  readonly instance: string;
  /** Whether a name is that of a process of this machine. */
  readonly isHere: (name: string) => boolean;
  /** Does to what is held here what others did, in order. */
  readonly apply: (ops: readonly SharedOp[]) => void;
  /** The server has lost what it had. */
  readonly lost: () => void;
}

/** Not written yet. The server's clock may not be known before it is. */
interface Pending {
  readonly op: SharedOp;
  /** The moment, as SharedClock marks it. */
  readonly mark: number;
  /** That of what was pushed in the same place before; undefined: it is not known, or nothing was. */
  readonly earlierMark: number | undefined;
}

export class SharedLog {
  readonly #options: SharedLogOptions;
  readonly #memory = new OpMemory();
  readonly #pending: Pending[] = [];
  /** Written lately: once more, should the server lose its data. */
  readonly #written: Pending[] = [];
  #lastId: string | undefined;
  #dataset: string | undefined;
  #flushing: Promise<void> | undefined;
  /** What took over from this one. */
  #next: SharedLog | undefined;
  /** Operations that found no room to wait. */
  overflows = 0;
  /** Times that it could not be told what had been done elsewhere. */
  gaps = 0;

  constructor(options: SharedLogOptions) {
    this.#options = options;
  }

  /** What waits to be written, for another log to take over. */
  takeOver(from: SharedLog): void {
    from.#next = this;
    this.#pending.push(...from.#pending.splice(0));
  }

  get pendingCount(): number {
    return this.#pending.length;
  }

  judge: OpMemory['judge'] = (response, askedAt) => this.#memory.judge(response, askedAt);

  /**
   * Something was done here. Returns it as the others will hear of it. `isPassing`: it is told to those who listen now,
   * and to be remembered only where nobody can be told. `mark`: the moment at which it was done.
   */
  append(
    effect: SharedOp['effect'],
    reach: SharedReach,
    isPassing = false,
    mark = this.#options.clock.mark(),
  ): SharedOp {
    const { clock, instance } = this.#options;
    const pushedAt = reach.kind === 'keys' ? reach.earlier?.pushedAt : undefined;
    const earlierMark = pushedAt === undefined ? undefined : clock.markOf(pushedAt);
    const since = this.#since(reach, mark, earlierMark);
    const op: SharedOp = { effect, reach, at: clock.ofMark(mark), since, by: instance };
    this.#memory.add(op);
    if (isPassing && this.#options.guard.isUp) {
      const { guard, table } = this.#options;
      void guard
        .background(() => table.publishOp(writeOp({ ...op, at: op.at + clock.errorMs })))
        .then((given) => {
          // Nobody may have heard it.
          if (given === undefined) this.#enter({ op, mark, earlierMark });
        });
      return op;
    }
    this.#enter({ op, mark, earlierMark });
    return op;
  }

  /**
   * What a push replaces must not be the push itself, wherever it is met again: by another clock, or after a restart. What is known
   * to have been pushed before it is older, however little; where a clock that runs ahead gave it a later time, that is none to go by.
   */
  #since(reach: SharedReach, mark: number, earlierMark: number | undefined): number | undefined {
    if (reach.kind !== 'keys' || reach.earlier === undefined) return undefined;
    const { clock } = this.#options;
    const surely = mark - clock.errorMs - SHARED_CLOCK_MARGIN_MS;
    return clock.ofMark(
      earlierMark === undefined || earlierMark > mark ? surely : Math.max(surely, (earlierMark + mark) / 2),
    );
  }

  #enter(pending: Pending): void {
    if (this.#next !== undefined) {
      this.#next.#enter(pending);
      return;
    }
    this.#pending.push(pending);
    if (this.#pending.length > MAX_SHARED_PENDING_OPS) {
      this.overflows++;
      const all: SharedOp = { ...pending.op, effect: 'expire', reach: { kind: 'all' } };
      this.#pending.splice(0, this.#pending.length, { ...pending, op: all });
    }
    void this.flush();
  }

  /** The same, where another process of this machine writes it: what it is about is not taken from the tier any more. */
  remember(effect: SharedOp['effect'], reach: SharedReach): void {
    const { clock, instance } = this.#options;
    this.#memory.add({ effect, reach, at: clock.now(), by: instance });
  }

  /** Whether all that was done here is written: what is being written is waited for. */
  async isWritten(): Promise<boolean> {
    await this.flush();
    // It may have come while the last of those before it was written.
    if (this.#options.guard.isUp) await this.flush();
    return this.#pending.length === 0;
  }

  /** Writes what waits, while that succeeds. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    const { guard, table, clock } = this.#options;
    for (let next = this.#pending[0]; next !== undefined && guard.isUp; next = this.#pending[0]) {
      // What the clock may be wrong by is given to the operation: rather too much is purged.
      const at = clock.ofMark(next.mark) + clock.errorMs;
      const text = writeOp({ ...next.op, at, since: this.#since(next.op.reach, next.mark, next.earlierMark) });
      const given = await guard.background(() => table.appendOp(text));
      if (given === undefined) break;
      if (this.#pending[0] === next) this.#pending.shift();
      this.#written.push(next);
      if (this.#written.length > SHARED_LOG_PAGE) this.#written.shift();
    }
  }

  /** Something was published. */
  heard(text: string): void {
    const op = readOp(text);
    // It is read from the log once more, in its place; to do it twice does nothing.
    if (op !== undefined) this.#take([op]);
  }

  #take(ops: readonly SharedOp[]): void {
    const { clock, instance } = this.#options;
    const others = ops.filter(({ by }) => by !== instance).map((op) => this.#asHere(op));
    for (const op of others) {
      const since = op.since === undefined ? undefined : op.since - clock.errorMs;
      this.#memory.add({ ...op, at: op.at + clock.errorMs + SHARED_CLOCK_MARGIN_MS, since });
    }
    if (others.length > 0) this.#options.apply(others);
  }

  /** What was pushed on this machine all processes of it have, and a little later than the one that tells others of it. */
  #asHere(op: SharedOp): SharedOp {
    const { reach, by } = op;
    if (reach.kind !== 'keys' || reach.earlier === undefined || !this.#options.isHere(by)) return op;
    return { ...op, reach: { ...reach, earlier: undefined } };
  }

  /** Reads on to the end of the log. Rejects where that cannot be done. */
  async catchUp(): Promise<void> {
    let readCount = 0;
    // Of a log that was empty it cannot be told either whether its beginning is there.
    const isFirst = this.#lastId === undefined || this.#lastId === NOTHING_READ;
    for (;;) {
      const page = await this.#page();
      this.#noteDataset(page);
      this.#noteGap(page);
      const ops = page.entries.map(([, text]) => readOp(text)).filter((op) => op !== undefined);
      this.#lastId = page.entries.at(-1)?.[0] ?? this.#lastId ?? NOTHING_READ;
      this.#take(ops);
      readCount += page.entries.length;
      if (page.entries.length === SHARED_LOG_PAGE) continue;
      // A full log has lost its beginning.
      if (isFirst && readCount >= MAX_SHARED_LOG && page.firstId !== undefined) this.#doubt(timeOf(page.firstId));
      return;
    }
  }

  async #page(): Promise<OpsPage> {
    const { table, clock } = this.#options;
    const sentAt = clock.mark();
    const page = await table.readOps(this.#lastId, SHARED_LOG_PAGE);
    clock.note(sentAt, page.serverNow);
    return page;
  }

  /** Data that is lost took operations along that were not heard here, and those that were written from here. */
  #noteDataset({ dataset, serverNow }: OpsPage): void {
    const before = this.#dataset;
    this.#dataset = dataset;
    if (before === undefined || before === dataset) return;
    this.#lastId = undefined;
    this.#pending.unshift(...this.#written.splice(0));
    this.#options.lost();
    this.#doubt(serverNow);
  }

  /** What is older than the log, and was not read before, is not known. */
  #noteGap({ firstId }: OpsPage): void {
    if (this.#lastId === undefined || firstId === undefined || !isBefore(this.#lastId, firstId)) return;
    if (this.#lastId !== NOTHING_READ) this.#doubt(timeOf(firstId));
  }

  #doubt(at: number): void {
    this.gaps++;
    const op: SharedOp = { effect: 'expire', reach: { kind: 'all' }, at, by: '' };
    this.#memory.add(op);
    this.#options.apply([op]);
  }
}

/** Before every entry of a log. */
const NOTHING_READ = '0-0';

function partsOf(id: string): readonly [number, number] {
  const [ms = '0', count = '0'] = id.split('-');
  return [Number(ms), Number(count)];
}

function isBefore(one: string, other: string): boolean {
  const [ms, count] = partsOf(one);
  const [otherMs, otherCount] = partsOf(other);
  return ms !== otherMs ? ms < otherMs : count < otherCount;
}

function timeOf(id: string): number {
  return partsOf(id)[0];
}
