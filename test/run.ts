/**
 * `npm test`: runs every compiled test file, each in a process of its own and some at a time, shows what failed, and
 * ends with one plain line `N passed, N failed`. Words on the command line choose the files whose path contains one of them.
 *
 * The files run by `node` and not by tap's command line: that one preloads hooks into every process, also into those
 * which a test starts to see what users see, and takes three times as long.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { addTally, closingLine, type FileReport, noTally, TapReader } from './tally.js';

/** More than four at a time disturb each other: several begin whole groups of workers. */
const JOBS = Math.min(Math.max(availableParallelism(), 2), 4);
const SHOWN_SLOWEST = 15;
/** A test file that says nothing for so long has hung. One that goes on may be slow for how busy the machine is. */
const FILE_SILENCE_MS = 120_000;
/** However it goes on. */
const FILE_TIMEOUT_MS = 600_000;
/** What one that has hung gets to say in which of its tests that was. */
const LAST_WORDS_MS = 10_000;
const COMPILED = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(COMPILED, '../..');

/**
 * Compiled test files, without those whose source is gone. The last of the alphabet come first: `workers` and `wire` take
 * longest, and one of them alone at the end would keep all waiting.
 */
function testFiles(words: readonly string[]): string[] {
  return readdirSync(COMPILED, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.js'))
    .filter((name) => existsSync(join(ROOT, 'test', name.replace(/\.js$/, '.ts'))))
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .map((name) => relative(ROOT, join(COMPILED, name)))
    .sort()
    .reverse();
}

/** A file that was run. */
interface Run {
  readonly file: string;
  readonly seconds: number;
}

const running = new Set<ChildProcess>();

/** Nothing outlives the test that started it, however that ended. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of them are gone, as they should be.
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The terminal reaches the group of this process alone.
  process.on(signal, () => {
    running.forEach(endGroup);
    process.exit(1);
  });
}

/** Ends a file that says nothing any more, or goes on for too long; heard() is called for each of its lines. */
class Watch {
  readonly #child: ChildProcess;
  #silence: NodeJS.Timeout;
  readonly #end: NodeJS.Timeout;
  #rest: NodeJS.Timeout | undefined;
  /** Why it was ended, where it was. */
  failure: string | undefined;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#silence = this.#after(FILE_SILENCE_MS, `it said nothing for ${FILE_SILENCE_MS / 1000} s`);
    this.#end = this.#after(FILE_TIMEOUT_MS, `it did not end within ${FILE_TIMEOUT_MS / 1000} s`);
  }

  heard(): void {
    if (this.failure === undefined) this.#silence.refresh();
  }

  over(): void {
    for (const timer of [this.#silence, this.#end, this.#rest]) clearTimeout(timer);
  }

  #after(ms: number, failure: string): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.failure !== undefined) return;
      this.failure = failure;
      // tap takes it for a timeout, and tells what is still open.
      this.#child.kill('SIGALRM');
      this.#rest = setTimeout(() => endGroup(this.#child), LAST_WORDS_MS);
    }, ms);
  }
}

/** Runs one file to its end. */
async function runFile(file: string): Promise<FileReport> {
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    // tap's own limit must not come before this one.
    env: { ...process.env, TAP_TIMEOUT: String(FILE_TIMEOUT_MS / 1000) },
    // A group of its own, by which the servers that it started are ended with it.
    detached: true,
  });
  running.add(child);
  const watch = new Watch(child);
  const ended = new Promise<string | undefined>((settle) => {
    child.on('error', (error) => settle(error.message));
    child.on('close', (code, signal) => {
      if (watch.failure !== undefined) settle(watch.failure);
      else settle(code === 0 ? undefined : `the process ended with ${signal ?? `exit code ${code}`}`);
    });
  });
  const reader = new TapReader();
  for await (const line of createInterface({ input: child.stdout })) {
    watch.heard();
    reader.line(line);
  }
  const failure = await ended;
  watch.over();
  running.delete(child);
  endGroup(child);
  return reader.end(failure);
}

function show({ file, seconds }: Run, report: FileReport): void {
  console.log(`${report.failed > 0 ? 'FAILED' : 'ok'} ${file}: ${closingLine(report)} (${seconds.toFixed(1)} s)`);
  for (const complaint of report.complaints) console.log(complaint.replace(/^/gm, '    '));
}

/** Those in which the time went, so that a test that has become slow is seen. */
function showSlowest(runs: readonly Run[]): void {
  const total = runs.reduce((sum, { seconds }) => sum + seconds, 0);
  const slowest = [...runs].sort((a, b) => b.seconds - a.seconds).slice(0, SHOWN_SLOWEST);
  console.log(`slowest of ${runs.length} files, which took ${total.toFixed(0)} s, ${JOBS} at a time:`);
  for (const { file, seconds } of slowest) console.log(`    ${seconds.toFixed(1).padStart(5)} s  ${file}`);
}

async function runAll(files: readonly string[]): Promise<number> {
  const total = noTally();
  const waiting = [...files];
  const runs: Run[] = [];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const startedAt = performance.now();
      const report = await runFile(file);
      const run = { file, seconds: (performance.now() - startedAt) / 1000 };
      runs.push(run);
      addTally(total, report);
      show(run, report);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  if (files.length > SHOWN_SLOWEST) showSlowest(runs);
  if (files.length === 0) {
    console.log('no test file was found');
    total.failed = 1;
  }
  console.log(closingLine(total));
  return total.failed > 0 ? 1 : 0;
}

// After `tsc --build` alone it would not be the program that the tests speak of.
execFileSync(process.execPath, [join(ROOT, '.bundle.js')], { stdio: 'inherit' });
process.exitCode = await runAll(testFiles(process.argv.slice(2)));
