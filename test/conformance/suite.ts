/**
 * The http-tests/cache-tests suite: fetched from the npm registry when it is needed, for it would bring npm 6 and
 * other old packages into every install; of these the parts that run a proxy's tests need none.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkoutRoot } from '../../bench/kit/root.js';

const RELEASE = 'http-cache-tests@0.4.5';
const ARCHIVE = 'http-cache-tests-0.4.5.tgz';
/** What the archive hashes to: another archive under this name is not the one that was read and found harmless. */
const ARCHIVE_SHA512 = 'DjuwN9nUZXLTW+wav1LRESCZNVxl8SshwOy4z1pxuWbWt5/ay6sM9QQ1lebBaDO6P1IMBoK6mdf+PuVP/QNL8A==';
const FETCH_TIMEOUT_MS = 60_000;
/** A group that the command line of the release adds, and that its repository has dropped since. */
const SURROGATE = 'tests/surrogate-control.mjs';

export type Kind = 'required' | 'optimal' | 'check';

/** A test, as far as running and scoring it is concerned; the rest is between the suite's client and its server. */
export interface SuiteTest {
  readonly id: string;
  readonly name: string;
  readonly kind?: Kind;
  readonly depends_on?: readonly string[];
  readonly browser_only?: boolean;
}

export interface SuiteGroup {
  readonly id: string;
  readonly name: string;
  readonly tests: readonly SuiteTest[];
}

/** `true`, or the name and the message of what went wrong. */
export type RawResult = true | readonly [name: string, message: string];
export type RawResults = Readonly<Record<string, RawResult>>;

export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly results: RawResults;
}

export function cacheFolder(): string {
  return join(checkoutRoot(), 'node_modules/.cache/conformance');
}

export class SuiteUnavailable extends Error {}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: FETCH_TIMEOUT_MS });
  if (status !== 0) throw new SuiteUnavailable(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
}

/** The release on npm and the repository that it comes from ask different things; what is recorded is so for each. */
export type SuiteLine = 'npm' | 'upstream';

export interface Suite {
  readonly folder: string;
  readonly line: SuiteLine;
  /** Name and version, as the suite says. */
  readonly title: string;
}

/** The release on npm, fetched on first use; throws SuiteUnavailable where that cannot be. */
export function fetchSuite(): Suite {
  return { folder: releaseFolder(), line: 'npm', title: RELEASE };
}

/** A suite that is there already, such as a checkout of its repository. */
export function suiteIn(folder: string): Suite {
  const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { name, version } = parsed as { name: string; version: string };
  return { folder, line: 'upstream', title: `${name}, ${version}` };
}

function releaseFolder(): string {
  const cache = cacheFolder();
  const folder = join(cache, 'suite-0.4.5');
  if (existsSync(join(folder, 'package.json'))) return folder;
  mkdirSync(cache, { recursive: true });
  const archive = join(cache, ARCHIVE);
  if (!existsSync(archive)) run('npm', ['pack', '--loglevel=error', '--ignore-scripts', RELEASE], cache);
  const hash = createHash('sha512').update(readFileSync(archive)).digest('base64');
  if (hash !== ARCHIVE_SHA512) throw new Error(`${archive} is not the ${RELEASE} that this expects (sha512-${hash})`);
  const scratch = join(cache, `unpack-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  run('tar', ['-xzf', archive, '-C', scratch], cache);
  rmSync(folder, { recursive: true, force: true });
  renameSync(join(scratch, 'package'), folder);
  rmSync(scratch, { recursive: true, force: true });
  return folder;
}

/** A file of the part that runs the tests: the repository has moved it since the release. */
export function enginePath(folder: string, path: string): string {
  return existsSync(join(folder, 'test-engine')) ? join('test-engine', path) : path;
}

/** Imports a module of the suite. It has no types; the caller says what it is. */
export async function importSuite<Module>(folder: string, path: string): Promise<Module> {
  const module: unknown = await import(pathToFileURL(join(folder, path)).href);
  return module as Module;
}

/** All groups that the suite's own command line runs, with those tests of them that apply to a proxy. */
export async function loadGroups(folder: string): Promise<SuiteGroup[]> {
  const { default: groups } = await importSuite<{ default: SuiteGroup[] }>(folder, 'tests/index.mjs');
  const all = [...groups];
  if (existsSync(join(folder, SURROGATE)))
    all.push((await importSuite<{ default: SuiteGroup }>(folder, SURROGATE)).default);
  return all.map((group) => ({
    id: group.id,
    name: group.name,
    tests: group.tests.filter((test) => test.browser_only !== true),
  }));
}

/** The results that the package ships of other proxies and CDNs; none where it ships none. */
export async function loadPeers(folder: string): Promise<Peer[]> {
  interface Entry {
    readonly file: string;
    readonly name: string;
    readonly type: string;
    readonly version: string;
  }
  if (!existsSync(join(folder, 'results/index.mjs'))) return [];
  const { default: index } = await importSuite<{ default: Entry[] }>(folder, 'results/index.mjs');
  return index
    .filter((entry) => entry.type === 'rev-proxy' || entry.type === 'cdn')
    .map(({ name, version, file }) => {
      const results: unknown = JSON.parse(readFileSync(join(folder, 'results', file), 'utf8'));
      return { name, version, results: results as RawResults };
    });
}
