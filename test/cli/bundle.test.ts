// Goal: decision 0046, the program starts from few files, made of the modules that are there, and reads what it needs. Method: what V8 says was read, the maps of the files, made-up trees.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { program } from '../kit/program.js';
import { ROOT, sourcesOf } from '../tidy/sources.js';

const MAIN = program();
const BUNDLE = dirname(MAIN);
/** Some more than there are: a new part may need one for itself. */
const MAX_FILES = 24;
/** Of JavaScript that is read before V8 has been told how; all of it has a hundred times as much. */
const MAX_FIRST_BYTES = 24 * 1024;
const SERVING = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];

/** The files that a run of the command reads as programs, by what V8 tells of their coverage. Ends it once it serves. */
async function readBy(args: readonly string[]): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'patina-read-'));
  try {
    const env = { ...process.env, NODE_V8_COVERAGE: directory };
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'], env });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes(' ready on ')) child.kill('SIGTERM');
    });
    await once(child, 'close');
    return readdirSync(directory).flatMap((file) => {
      const { result } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as { result: { url: string }[] };
      return result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const ofPackages = (url: string): boolean => url.includes('/node_modules/');

/** The sources of a file of the bundle, as `lib/cli/main.ts`. */
function sourcesIn(file: string): string[] {
  const { sources } = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { sources: string[] };
  return sources.map((source) => relative(ROOT, resolve(dirname(file), source)));
}

t.test('a start reads the program from a few files, and none of its modules beside them', async (t) => {
  const own = (await readBy(SERVING)).filter((url) => !ofPackages(url)).map((url) => fileURLToPath(url));
  t.ok(own.includes(MAIN));
  t.same(
    own.filter((file) => dirname(file) !== BUNDLE),
    [],
  );
  t.ok(own.length <= MAX_FILES, `${own.length} files`);
  t.ok(own.flatMap(sourcesIn).length > 200, 'most of lib lies in them');
});

t.test('V8 is told how to run the program and a worker before most of it is read', async (t) => {
  for (const name of ['main.js', 'worker-main.js']) {
    const first = new Set<string>();
    const read = (file: string): void => {
      if (first.has(file)) return;
      first.add(file);
      for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|\}).* from '(\.[^']+)';$/gm)) {
        read(join(BUNDLE, from));
      }
    };
    read(join(BUNDLE, name));
    t.ok([...first].flatMap(sourcesIn).includes('lib/base/collector.ts'), `${name} tells it`);
    const bytes = [...first].reduce((sum, file) => sum + statSync(file).size, 0);
    t.ok(bytes <= MAX_FIRST_BYTES, `${name}: ${bytes} bytes before`);
  }
});

t.test('what modules start as a file of its own lies beside the file that starts it', async (t) => {
  const started = sourcesOf('lib').flatMap(({ text }) =>
    Array.from(text.matchAll(/new URL\('(\.\/[^']+)', import\.meta\.url\)/g), ([, name = '']) => name),
  );
  t.ok(started.length >= 3);
  for (const name of started) t.ok(statSync(join(BUNDLE, name)).isFile(), name);
});

t.test('a command that only speaks to a proxy reads nothing of one: that would be most of its time', async (t) => {
  const parts = /^lib\/(?:proxy\.ts|engine\/engine\.ts|front\/|origin\/|workers\/)/;
  for (const args of [['--version'], ['purge', '--help'], ['purge', 'http://a.test/', '--admin', '127.0.0.1:1']]) {
    const read = await readBy(args);
    t.same(
      read.filter((url) => /\/node_modules\/(?:lmdb|prom-client|pino)\//.test(url)),
      [],
      args.join(' '),
    );
    const own = read.filter((url) => !ofPackages(url)).flatMap((url) => sourcesIn(fileURLToPath(url)));
    t.same(
      own.filter((source) => parts.test(source)),
      [],
      args.join(' '),
    );
  }
});

t.test('a start without a conf file reads no package that only some of what it may say needs', async (t) => {
  const some = /\/node_modules\/(?:re2js|structured-headers|yaml|lmdb|ioredis|fast-xml-parser)\//;
  t.same(
    (await readBy(SERVING)).filter((url) => some.test(url)),
    [],
  );
});

t.test('the program is written in Latin-1: V8 keeps one byte for each of its letters', async (t) => {
  const files = readdirSync(BUNDLE).filter((name) => name.endsWith('.js'));
  const beyond = files.flatMap((name) => readFileSync(join(BUNDLE, name), 'utf8').match(/.*[^\0-\xff].*/gu) ?? []);
  t.same(beyond, []);
});

t.test('what is read of lmdb is read where there is a disk tier', async (t) => {
  const dir = t.testdir();
  const lmdb = (url: string) => url.includes('/node_modules/lmdb/');
  t.notOk((await readBy(SERVING)).some(lmdb));
  const disk = ['--set', `cache.disk.path=${dir}/disk`, '--set', 'cache.disk.size=64MB'];
  t.ok((await readBy([...SERVING, ...disk])).some(lmdb));
});

t.test('a bundle that is not made of the modules that are there is known', async (t) => {
  const { whyStale } = (await import(new URL('../../../.bundle.js', import.meta.url).href)) as {
    whyStale(root: string): string | undefined;
  };
  // The hash of an empty file.
  const hash = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU';
  const madeOf = { '.bundle.json': JSON.stringify({ 'dist/lib/a.js': hash }) };
  t.equal(whyStale(t.testdir({ dist: { ...madeOf, lib: { 'a.js': '' } } })), undefined);
  t.equal(whyStale(t.testdir({ dist: { ...madeOf, lib: { 'a.js': ' ' } } })), 'dist/lib/a.js has changed');
  t.equal(whyStale(t.testdir({ dist: { ...madeOf, lib: {} } })), 'dist/lib/a.js is gone');
  t.equal(whyStale(t.testdir({ dist: { lib: { 'a.js': '' } } })), 'it was not made yet');
  const brokenOff = { '.bundle.json': '{"dist/lib/a.js": "47DEQ' };
  t.equal(whyStale(t.testdir({ dist: { ...brokenOff, lib: { 'a.js': '' } } })), 'its making broke off');
});

t.test('it is made anew for other packages, too: what it may import is read from package.json', (t) => {
  const madeOf = JSON.parse(readFileSync(join(ROOT, 'dist/.bundle.json'), 'utf8')) as Readonly<Record<string, string>>;
  t.ok('package.json' in madeOf);
  t.ok('.bundle.js' in madeOf);
  t.end();
});
