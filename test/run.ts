/**
 * `npm test`: runs every compiled test file under tap, two at a time, shows what failed, and ends with one plain
 * line `N passed, N failed`. Words on the command line choose the files whose path contains one of them.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { closingLine, type FileReport, TapReader } from './tally.js';

const JOBS = 2;
/** A test file that takes longer has hung. */
const FILE_TIMEOUT_SEC = 120;
const COMPILED = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(COMPILED, '../..');

/** Compiled test files, without those whose source is gone. */
function testFiles(words: readonly string[]): string[] {
  const names = readdirSync(COMPILED, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.test.js'))
    .filter((name) => existsSync(join(ROOT, 'test', name.replace(/\.js$/, '.ts'))))
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .map((name) => relative(ROOT, join(COMPILED, name)))
    .sort();
}

function show({ name, passed, failed, skipped, complaints }: FileReport): void {
  const counts = closingLine({ passed, failed, skipped });
  console.log(`${failed > 0 ? 'FAILED' : 'ok'} ${name}: ${counts}`);
  for (const complaint of complaints) console.log(complaint.replace(/^/gm, '    '));
}

async function run(files: readonly string[]): Promise<number> {
  const tap = join(ROOT, 'node_modules/tap/dist/esm/run.mjs');
  const options = ['run', `--jobs=${JOBS}`, `--timeout=${FILE_TIMEOUT_SEC}`, '--reporter=tap', '--disable-coverage'];
  const child = spawn(process.execPath, [tap, ...options, '--allow-incomplete-coverage', ...files], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number>((settle) => child.on('close', (code) => settle(code ?? 1)));
  const seen = new Set<string>();
  const reader = new TapReader((report) => {
    seen.add(report.name);
    show(report);
  });
  for await (const line of createInterface({ input: child.stdout })) reader.line(line);
  reader.flush();
  const code = await ended;
  for (const file of files) {
    if (seen.has(file)) continue;
    reader.total.failed += 1;
    console.log(`FAILED ${file}: it was not run to its end`);
  }
  if (code !== 0 && reader.total.failed === 0) {
    reader.total.failed = 1;
    console.log(`FAILED: tap ended with code ${code}`);
  }
  console.log(closingLine(reader.total));
  return reader.total.failed > 0 ? 1 : 0;
}

const files = testFiles(process.argv.slice(2));
if (files.length > 0) process.exitCode = await run(files);
else {
  console.log('no test file was found');
  console.log(closingLine({ passed: 0, failed: 1, skipped: 0 }));
  process.exitCode = 1;
}
