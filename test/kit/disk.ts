/**
 * A disk tier for tests: a directory of its own, and a port that writes in this thread, which a test may hold up, make
 * fail, or cut off as a kill would.
 *
 *   const bench = openDisk(t, { clock });
 *   bench.tier.put(stored); await bench.tier.settled();
 *   bench.fail = 'EIO';                                  // from now on every job fails
 *   const again = bench.reopen();                        // what a restart finds
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Clock } from '../../lib/base/clock.js';
import { Body } from '../../lib/object/body.js';
import { type Events, SILENT } from '../../lib/observe/events.js';
import type { Store } from '../../lib/store/contract.js';
import { DiskTier } from '../../lib/store/disk.js';
import { DiskFailure, type DiskJob, type DiskPort, type DiskReport } from '../../lib/store/disk-contract.js';
import { type DiskFile, openDiskFile } from '../../lib/store/disk-file.js';
import { DiskWriting } from '../../lib/store/disk-writing.js';
import { createMemoryStore } from '../../lib/store/memory.js';
import { createTieredStore } from '../../lib/store/tiered.js';

const MB = 1024 * 1024;

/** A directory that is gone with the test. */
export function makeDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'patina-disk-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface DiskOptions {
  readonly clock: Clock;
  readonly sizeBytes?: number;
  readonly memoryBytes?: number;
  readonly directory?: string;
  readonly events?: Events;
}

export class DiskBench implements DiskPort {
  readonly directory: string;
  readonly notices: string[] = [];
  readonly file: DiskFile;
  readonly tier: DiskTier;
  readonly memory: Store;
  readonly store: Store;
  readonly reports: DiskReport[] = [];
  /** Code with which every job fails. */
  fail: string | undefined;
  /** Jobs wait until this is false and let() is called. */
  isHeld = false;
  isDamaged = false;
  /** That the file is damaged cannot be noted beside it. */
  cannotMark = false;
  readonly #t: Test;
  readonly #options: DiskOptions;
  readonly #writing: DiskWriting;
  #held: (() => void)[] = [];
  #isClosed = false;

  constructor(t: Test, options: DiskOptions) {
    this.#t = t;
    this.#options = options;
    const { clock, sizeBytes = 256 * MB, memoryBytes = 8 * MB } = options;
    this.directory = options.directory ?? makeDirectory(t);
    this.file = openDiskFile(this.directory, sizeBytes);
    this.#writing = new DiskWriting(this.file, sizeBytes);
    const events: Events = {
      ...(options.events ?? SILENT),
      notice: (_level, code) => this.notices.push(code),
    };
    const onDamaged = () => {
      if (this.cannotMark) throw new Error('EROFS: read-only file system');
      this.isDamaged = true;
    };
    this.tier = new DiskTier({ file: this.file, port: this, sizeBytes, clock, events, onDamaged });
    const quiet = options.events ?? SILENT;
    this.memory = createMemoryStore({ budgetBytes: memoryBytes, clock, events: quiet });
    this.store = createTieredStore(this.memory, this.tier);
    t.teardown(() => this.#end());
  }

  async send(job: DiskJob): Promise<DiskReport> {
    if (this.isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    await Promise.resolve();
    if (this.fail !== undefined) throw new DiskFailure(this.fail, `${this.fail}: made to fail`);
    const report = this.#writing.do(job);
    this.reports.push(report);
    return report;
  }

  /** Lets those jobs go on that wait. */
  release(): void {
    this.isHeld = false;
    for (const go of this.#held.splice(0)) go();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** As kill -9 would: nothing that waits is written. Another tier on the same directory. */
  async killed(options: Partial<DiskOptions> = {}): Promise<DiskBench> {
    await this.#end();
    return new DiskBench(this.#t, { ...this.#options, ...options, directory: this.directory });
  }

  /** A restart in good order. */
  async reopened(options: Partial<DiskOptions> = {}): Promise<DiskBench> {
    await this.tier.settled();
    return this.killed(options);
  }

  async #end(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.fail = 'closed';
    this.release();
    await this.file.close();
  }
}

export function openDisk(t: Test, options: DiskOptions): DiskBench {
  return new DiskBench(t, options);
}

/** A body that went to disk as it arrived, all of it. */
export function spilled(bench: DiskBench, bytes: number): Body {
  const sink = bench.store.openSpill();
  if (sink === undefined) throw new Error('there is no place for it');
  const body = new Body({ mode: 'retain', highWaterBytes: MB });
  body.spill(sink, 16 * MB);
  for (let at = 0; at < bytes; at += MB) body.write(Buffer.alloc(Math.min(MB, bytes - at), at / MB));
  body.complete(0);
  return body;
}
