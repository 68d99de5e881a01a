/** `npm run conformance`: the http-tests/cache-tests suite against Patina, or against any other proxy. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFlags } from '../../bench/kit/cli.js';
import { installedVersion, PROXY_NAMES, type ProxyName, startProxy } from '../../bench/kit/proxies.js';
import { checkoutRoot } from '../../bench/kit/root.js';
import { freePort, type Scope, untilOpen, withScope } from '../../bench/kit/scope.js';
import { printFailures, printScores, printStory, type Scored, scorePeers } from './report.js';
import { type RunOutcome, runInThread } from './runner.js';
import { compare, score, type Verdict } from './score.js';
import { cacheFolder, loadGroups, loadPeers, SUITE, type SuiteGroup, SuiteUnavailable, suiteFolder } from './suite.js';

const USAGE = `usage: npm run conformance -- [options]
  --set-cookie refuse|share   one run with this setting of Patina; without it both, one after the other
  --only ID[,ID]              these tests alone
  --parallel N                tests at once (100, as the suite's own runner)
  --verbose                   the story of every test that did not pass
  --update                    write what passes now to test/conformance/expected.json
  --proxy patina|nginx|varnish
  --proxy-cmd COMMAND         another proxy: {port} and {origin_port} in it are replaced
  --base URL --origin-port N  a proxy that runs already, in front of 127.0.0.1:N
  --no-peers                  without the columns of the stored results`;

const flags = readFlags(USAGE, {
  'set-cookie': { type: 'string' },
  only: { type: 'string' },
  parallel: { type: 'string', default: '100' },
  verbose: { type: 'boolean', default: false },
  update: { type: 'boolean', default: false },
  proxy: { type: 'string', default: 'patina' },
  'proxy-cmd': { type: 'string' },
  base: { type: 'string' },
  'origin-port': { type: 'string' },
  'no-peers': { type: 'boolean', default: false },
});

const MEMORY_MB = 128;

type SetCookie = 'refuse' | 'share';
type Expected = Partial<Record<SetCookie, Record<string, Verdict>>>;

function expectedFile(): string {
  return join(checkoutRoot(), 'test/conformance/expected.json');
}

function readExpected(): Expected {
  if (!existsSync(expectedFile())) return {};
  const parsed: unknown = JSON.parse(readFileSync(expectedFile(), 'utf8'));
  return parsed as Expected;
}

async function startSuiteServer(scope: Scope, folder: string): Promise<number> {
  const port = flags['origin-port'] === undefined ? await freePort() : Number(flags['origin-port']);
  const shim = join(dirname(fileURLToPath(import.meta.url)), 'loopback.js');
  const server = scope.start({
    name: "the suite's server",
    command: process.execPath,
    args: ['--import', shim, join(folder, 'server/server.mjs')],
    cwd: folder,
    env: {
      npm_config_protocol: 'http',
      npm_config_port: String(port),
      npm_config_pidfile: join(scope.folder('suite'), 'server.pid'),
    },
  });
  await untilOpen(server, port);
  return port;
}

/** Starts what is to be tested; its base URL. */
async function startSubject(scope: Scope, originPort: number, setCookie: SetCookie): Promise<string> {
  if (flags.base !== undefined) return flags.base.replace(/\/$/, '');
  const command = flags['proxy-cmd'];
  if (command !== undefined) {
    const port = await freePort();
    const filled = command.replaceAll('{port}', String(port)).replaceAll('{origin_port}', String(originPort));
    const running = scope.start({ name: filled, command: 'sh', args: ['-c', `exec ${filled}`] });
    await untilOpen(running, port);
    return `http://127.0.0.1:${port}`;
  }
  const settings = {
    originPort,
    ttlSec: 'origin',
    graceSec: 0,
    memoryMB: MEMORY_MB,
    setCookie,
    pinned: false,
  } as const;
  const { port } = await startProxy(scope, flags.proxy as ProxyName, settings);
  return `http://127.0.0.1:${port}`;
}

async function runOnce(scope: Scope, folder: string, setCookie: SetCookie): Promise<RunOutcome> {
  const originPort = await startSuiteServer(scope, folder);
  const base = await startSubject(scope, originPort, setCookie);
  return runInThread({ folder, base, only: flags.only?.split(','), parallel: Number(flags.parallel) });
}

/** What `--only` names, and all that it depends on, for scoring needs their results. */
function withDependencies(groups: readonly SuiteGroup[], ids: readonly string[]): string[] {
  const tests = new Map(groups.flatMap((group) => group.tests.map((test) => [test.id, test] as const)));
  const found = [...ids];
  for (const id of found) {
    const test = tests.get(id);
    if (test === undefined) throw new Error(`there is no test ${id}`);
    for (const needed of test.depends_on ?? []) if (!found.includes(needed)) found.push(needed);
  }
  return found;
}

function judge(label: SetCookie, verdicts: ReadonlyMap<string, Verdict>): boolean {
  const expected = readExpected()[label];
  if (expected === undefined) {
    console.log('there is no list of expected passes yet: --update writes it');
    return true;
  }
  const { lost, gained, changed } = compare(expected, verdicts);
  for (const line of gained) console.log(`now passes (--update records it): ${line}`);
  for (const line of changed) console.log(`answered otherwise than recorded: ${line}`);
  for (const line of lost) console.log(`REGRESSION ${line}`);
  return lost.length === 0;
}

function record(label: SetCookie, verdicts: ReadonlyMap<string, Verdict>): void {
  const before = readExpected();
  const ordered = Object.fromEntries([...verdicts].sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(expectedFile(), `${JSON.stringify({ ...before, [label]: ordered }, undefined, 2)}\n`);
}

function writeResults(name: string, outcome: RunOutcome): void {
  const dir = join(cacheFolder(), 'results');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(outcome.results, undefined, 2)}\n`);
  console.log(`results, in the form of the suite: ${file}`);
}

/** Two runs may differ where cookies are concerned, and nowhere else. */
function printDifference(groups: readonly SuiteGroup[], runs: readonly Scored[]): boolean {
  const [first, second] = runs;
  if (first === undefined || second === undefined) return true;
  const tests = groups.flatMap((group) => group.tests);
  const differing = tests.filter((test) => first.verdicts.get(test.id) !== second.verdicts.get(test.id));
  console.log(`\nthe two runs differ in: ${differing.map((test) => test.id).join(', ') || 'nothing'}`);
  const others = differing.filter((test) => !/set-cookie/i.test(test.id));
  for (const test of others) console.log(`FAIL ${test.id} has nothing to do with Set-Cookie`);
  return others.length === 0;
}

function printStories({ results, stories }: RunOutcome): void {
  for (const [id, story] of Object.entries(stories))
    if (results[id] !== true || flags.only !== undefined) printStory(id, story, results[id]);
}

async function main(scope: Scope): Promise<number> {
  if (!PROXY_NAMES.some((name) => name === flags.proxy)) throw new Error(`--proxy ${flags.proxy}: not known`);
  const folder = suiteFolder();
  const groups = await loadGroups(folder);
  if (flags.only !== undefined) flags.only = withDependencies(groups, flags.only.split(',')).join(',');
  const isPatina = flags.base === undefined && flags['proxy-cmd'] === undefined && flags.proxy === 'patina';
  if (isPatina && installedVersion('patina') === undefined) throw new Error('Patina is not built: npm run build');
  const both = isPatina && flags['set-cookie'] === undefined;
  const labels: SetCookie[] = both ? ['refuse', 'share'] : [flags['set-cookie'] === 'share' ? 'share' : 'refuse'];
  const subject = isPatina ? 'Patina' : (flags['proxy-cmd'] ?? flags.base ?? flags.proxy);
  const runs: Scored[] = [];
  let isGood = true;
  for (const label of labels) {
    const name = isPatina ? `${subject} (${label})` : subject;
    console.log(`\n${SUITE} against ${name}`);
    const outcome = await runOnce(scope, folder, label);
    const verdicts = score(groups, outcome.results);
    runs.push({ name, verdicts });
    printFailures(groups, verdicts, outcome.results);
    if (flags.verbose) printStories(outcome);
    if (flags.only !== undefined) continue;
    writeResults(isPatina ? `patina-${label}` : 'other', outcome);
    if (!isPatina) continue;
    if (flags.update) record(label, verdicts);
    isGood = judge(label, verdicts) && isGood;
  }
  if (flags.only !== undefined) return isGood ? 0 : 1;
  const peers = flags['no-peers'] ? [] : await loadPeers(folder);
  console.log('');
  printScores(groups, [...runs, ...scorePeers(groups, peers)]);
  if (peers.length > 0)
    console.log(`peers as stored: ${peers.map((peer) => `${peer.name} ${peer.version}`).join(', ')}`);
  return printDifference(groups, runs) && isGood ? 0 : 1;
}

await withScope(async (scope) => {
  try {
    return await main(scope);
  } catch (error) {
    if (!(error instanceof SuiteUnavailable)) throw error;
    console.log(`skipped: the suite could not be fetched, NOTHING WAS TESTED (${error.message})`);
    return 0;
  }
});
