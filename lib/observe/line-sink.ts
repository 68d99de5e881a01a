/**
 * Where log lines go: gathered to batches, written one batch at a time, held while the destination is full or blocked,
 * dropped and counted beyond a bound. Nothing that the destination does can throw into, or delay, a request.
 */
import type { Clock, Timer } from '../base/clock.js';
import {
  LOG_BUSY_RETRY_MS,
  LOG_CLOSE_TIMEOUT_MS,
  LOG_LAST_TRIES,
  LOG_RETRY_MS,
  MAX_LOG_PENDING_BYTES,
} from '../base/limits.js';
import { countLines, type LineBatch, LineBatches } from './line-batch.js';
import { type LogDestination, OpenDestination } from './log-destination.js';

export interface LineSinkOptions {
  readonly destination: LogDestination;
  readonly clock: Clock;
  /** How long a line may wait for others. */
  readonly flushMs: number;
  /** Called when writing goes on after `lostLines` were dropped. */
  readonly recovered: (lostLines: number) => void;
  /** Called before anything else is added, and before what there is is written: has lines added that were not made yet. */
  readonly gather: () => void;
}

/** Errors after which a descriptor or stream will never take a byte again. */
const FATAL_CODES = new Set(['EPIPE', 'EBADF', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END']);

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** What every open sink still does when the process ends: one listener for all of them, however many there are. */
const lastWrites = new Set<() => void>();

function writeAllLast(): void {
  for (const write of lastWrites) write();
}

function atExit(write: () => void): void {
  if (lastWrites.size === 0) process.on('exit', writeAllLast);
  lastWrites.add(write);
}

function notAtExit(write: () => void): void {
  if (lastWrites.delete(write) && lastWrites.size === 0) process.off('exit', writeAllLast);
}

export class LineSink {
  readonly #clock: Clock;
  readonly #flushMs: number;
  readonly #recovered: (lostLines: number) => void;
  readonly #gather: () => void;
  readonly #destination: OpenDestination;
  readonly #batches = new LineBatches();
  /** The batch that lines are added to. */
  #open: LineBatch = this.#batches.make(0);
  /** The open batch is to be written as soon as nothing is before it. */
  #isOpenDue = false;
  readonly #full: LineBatch[] = [];
  /** What is being written now, and how many bytes of it are written. */
  #writing: LineBatch | undefined;
  #writtenBytes = 0;
  /** Of lines in the open batch, and memory of the batches that wait or are being written. */
  #heldBytes = 0;
  #timer: Timer | undefined;
  /** Set while a failed write waits to be tried again. */
  #retry: Timer | undefined;
  #state: 'open' | 'broken' | 'closing' | 'closed' = 'open';
  #lastTries = LOG_LAST_TRIES;
  #onIdle: (() => void)[] = [];
  #droppedLines = 0;
  #reportedLines = 0;
  #failedWrites = 0;
  /** What is begun now would not be ended. */
  #isExiting = false;
  readonly #writeLast = (): void => this.#writeAllNow();

  /** Throws what opening the file throws. */
  constructor(options: LineSinkOptions) {
    this.#clock = options.clock;
    this.#flushMs = options.flushMs;
    this.#recovered = options.recovered;
    this.#gather = options.gather;
    this.#destination = new OpenDestination(options.destination);
    atExit(this.#writeLast);
  }

  /** Whether a person may be reading. */
  get isTerminal(): boolean {
    return this.#destination.isTerminal;
  }

  /** Lines lost, and writes that failed, since the start. */
  get stats(): { readonly droppedLines: number; readonly failedWrites: number } {
    this.#gather();
    return { droppedLines: this.#droppedLines, failedWrites: this.#failedWrites };
  }

  /** Takes a line that ends with a newline, or several of them. */
  write(lines: string): void {
    this.#gather();
    const batch = this.room(Buffer.byteLength(lines));
    if (batch !== undefined) this.added(batch.bytes.write(lines, batch.length));
  }

  /** The same of lines that are bytes already. Returns whether there is room for many more. */
  copy(lines: Uint8Array): boolean {
    this.#gather();
    const batch = this.room(lines.length);
    if (batch === undefined) return false;
    batch.bytes.set(lines, batch.length);
    this.added(lines.length);
    return this.#heldBytes < MAX_LOG_PENDING_BYTES / 2;
  }

  /**
   * Where the next line may be written, of at most so many bytes: in this batch, behind its length; added() is to be told
   * of it. Undefined: nothing is taken any more, or too much is held; the line is lost, and counted.
   */
  room(mostBytes: number): LineBatch | undefined {
    if (this.#state !== 'open' || this.#heldBytes + mostBytes > MAX_LOG_PENDING_BYTES) {
      this.#droppedLines++;
      return undefined;
    }
    if (this.#open.length + mostBytes > this.#open.bytes.length) this.#fill(mostBytes);
    return this.#open;
  }

  /** So many bytes, which are whole lines, were written behind the length of the batch that room() gave. */
  added(bytes: number): void {
    this.#open.length += bytes;
    this.#heldBytes += bytes;
    this.expect();
  }

  /** There is something that gather() adds: it is called within the time that a line may wait. */
  expect(): void {
    this.#timer ??= this.#clock.after(this.#flushMs, this.#seal);
  }

  /** Opens another batch: the open one has no room for so many bytes. */
  #fill(bytes: number): void {
    if (this.#open.length > 0) this.#full.push(this.#hold(this.#batches.fit(this.#open)));
    this.#nextOpen(bytes);
    this.#pump();
  }

  /** No line is added to it any more: from now on it counts as what it takes. */
  #hold(batch: LineBatch): LineBatch {
    this.#heldBytes += batch.bytes.length - batch.length;
    return batch;
  }

  /** The time that a line may wait goes on: it may be one that is not made yet. */
  #nextOpen(bytes: number): void {
    this.#isOpenDue = false;
    this.#open = this.#batches.make(bytes);
  }

  /** Whatever the open batch holds is to be written: at once, or, so that it fills, when what is before it was written. */
  readonly #seal = (): void => {
    this.#gather();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#isOpenDue = this.#open.length > 0;
    this.#pump();
  };

  #takeNext(): LineBatch | undefined {
    const full = this.#full.shift();
    if (full !== undefined || !this.#isOpenDue) return full;
    const batch = this.#hold(this.#open);
    this.#nextOpen(0);
    return batch;
  }

  #pump(): void {
    if (this.#writing !== undefined || this.#isExiting) return;
    const batch = this.#takeNext();
    if (batch === undefined) {
      for (const run of this.#onIdle.splice(0)) run();
      if (this.#state === 'closed') this.#destination.close();
      return;
    }
    this.#writing = batch;
    this.#writtenBytes = 0;
    this.#writeOn();
  }

  #writeOn(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    const batch = this.#writing;
    if (batch === undefined) return;
    this.#destination.write(batch, this.#writtenBytes, (error, written) => this.#wrote(batch, error, written));
  }

  #wrote(batch: LineBatch, error: unknown, written: number): void {
    // A stream may answer twice, or for a batch that was given up meanwhile.
    if (this.#writing !== batch) return;
    if (error !== null && error !== undefined) {
      this.#failedWrites++;
      const code = codeOf(error);
      if (FATAL_CODES.has(code)) this.#break();
      else if (this.#state === 'closing' || this.#state === 'closed') this.#tryLast(code);
      else this.#retry = this.#clock.after(code === 'EAGAIN' ? LOG_BUSY_RETRY_MS : LOG_RETRY_MS, () => this.#writeOn());
      return;
    }
    this.#writtenBytes += written;
    if (this.#writtenBytes < batch.length) {
      this.#writeOn();
      return;
    }
    this.#writing = undefined;
    this.#heldBytes -= batch.bytes.length;
    // A stream may look at the bytes for longer than it says: what it was given is not used again.
    if (!this.#destination.isStream) this.#batches.giveBack(batch);
    this.#reportLoss();
    this.#pump();
  }

  /** Says how many lines were lost once there is room again; before, it would be lost as well. */
  #reportLoss(): void {
    if (this.#state !== 'open' || this.#droppedLines === this.#reportedLines) return;
    if (this.#heldBytes > MAX_LOG_PENDING_BYTES / 2) return;
    const lost = this.#droppedLines - this.#reportedLines;
    this.#reportedLines = this.#droppedLines;
    this.#recovered(lost);
  }

  /** The destination is gone for good. A file can come back by reopen(); a descriptor or stream cannot. */
  #break(): void {
    if (this.#state === 'open') this.#state = 'broken';
    this.#abandon();
  }

  /** A write failed while closing. No pause: pending timers do not keep the process alive, and it is about to end. */
  #tryLast(code: string): void {
    if (code === 'EAGAIN' && this.#lastTries-- > 0) this.#writeOn();
    else this.#abandon();
  }

  /** Drops all that is held. */
  #abandon(): void {
    if (this.#writing !== undefined) this.#droppedLines += countLines(this.#writing, this.#writtenBytes);
    this.#writing = undefined;
    for (const batch of [...this.#full.splice(0), this.#open]) this.#droppedLines += countLines(batch, 0);
    this.#nextOpen(0);
    this.#heldBytes = 0;
    this.#pump();
  }

  /** Resolves when all lines taken so far were written, were lost, or have waited too long. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      const deadline = this.#clock.after(LOG_CLOSE_TIMEOUT_MS, resolve);
      this.#onIdle.push(() => {
        deadline.cancel();
        resolve();
      });
      this.#seal();
    });
  }

  /** Opens the file of this name anew, after it was moved away. Returns whether there is a file, and it could be opened. */
  reopen(): boolean {
    if (!this.#destination.hasPath || this.#state === 'closing' || this.#state === 'closed') return false;
    this.#seal();
    try {
      this.#destination.reopen();
    } catch {
      // The old file goes on taking lines; the caller says so, and the failure is counted.
      this.#failedWrites++;
      return false;
    }
    this.#state = 'open';
    if (this.#writing === undefined) this.#destination.closeRetired();
    return true;
  }

  /** Writes what is left, and takes nothing more. */
  async close(): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#gather();
    if (this.#state === 'open') this.#state = 'closing';
    const flushed = this.flush();
    if (this.#retry !== undefined) this.#writeOn();
    await flushed;
    notAtExit(this.#writeLast);
    this.#state = 'closed';
    // With a write still under way the file is closed when that ends.
    if (this.#writing === undefined) this.#seal();
  }

  /**
   * The process ends without close(): writes what it can, without waiting. A write that is under way on a pipe may be
   * blocked, and writing beside it would block the exit; on a file it cannot, and whole batches keep lines whole.
   */
  #writeAllNow(): void {
    if (this.#destination.isStream || this.#state === 'broken' || this.#state === 'closed') return;
    try {
      if (this.#writing !== undefined && !this.#destination.isFile) return;
      this.#isExiting = true;
      this.#gather();
      for (const batch of [...this.#full.splice(0), this.#open]) this.#destination.writeNow(batch);
      this.#open = this.#batches.make(0);
    } catch {
      this.#failedWrites++;
    }
  }
}
