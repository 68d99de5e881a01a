/** `npm run conformance`: the http-tests/cache-tests suite against Patina, or against any other proxy. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFlags } from '../../bench/kit/cli.js';
import { installedVersion, PROXY_NAMES, type ProxyName, startProxy } from '../../bench/kit/proxies.js';
import { freePort, type Scope, untilOpen, withScope } from '../../bench/kit/scope.js';
import { HAS_FAST_LANE } from '../kit/lane.js';
import { checkCacheStatus } from './cache-status.js';
import { writePage } from './page.js';
import { readExpected, recordCatalogue, recordVerdicts, SETTINGS, type SetCookie } from './record.js';
import * as report from './report.js';
import { type RunOutcome, runInThread } from './runner.js';
import { compare, overtaken, score, type Verdict } from './score.js';
import {
  cacheFolder,
  enginePath,
  fetchSuite,
  loadGroups,
  loadPeers,
  type RawResults,
  type Suite,
  type SuiteGroup,
  SuiteUnavailable,
  suiteIn,
} from './suite.js';

const USAGE = `usage: npm run conformance -- [options]
  --set-cookie refuse|share   one run with this setting of Patina; without it both, one after the other
  --only ID[,ID]              these tests alone
  --parallel N                tests at once (100, as the suite's own runner)
  --verbose                   the story of every test that did not pass
  --update                    record what passes now, and write the page
  --page                      write test/conformance/README.md from what is recorded, and run nothing
  --suite DIR                 not the release on npm, but this copy of the suite's repository
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
  page: { type: 'boolean', default: false },
  suite: { type: 'string' },
  proxy: { type: 'string', default: 'patina' },
  'proxy-cmd': { type: 'string' },
  base: { type: 'string' },
  'origin-port': { type: 'string' },
  'no-peers': { type: 'boolean', default: false },
});

const MEMORY_MB = 128;

async function startSuiteServer(scope: Scope, folder: string): Promise<number> {
  const port = flags['origin-port'] === undefined ? await freePort() : Number(flags['origin-port']);
  const shim = join(dirname(fileURLToPath(import.meta.url)), 'loopback.js');
  const server = scope.start({
    name: "the suite's server",
    command: process.execPath,
    args: ['--import', shim, join(folder, enginePath(folder, 'server/server.mjs'))],
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
    extraConf: `fast_lane: ${HAS_FAST_LANE ? 'on' : 'off'}`,
  } as const;
  const { port } = await startProxy(scope, flags.proxy as ProxyName, settings);
  return `http://127.0.0.1:${port}`;
}

async function runOnce(
  scope: Scope,
  folder: string,
  setCookie: SetCookie,
  only = flags.only?.split(','),
): Promise<RunOutcome> {
  const originPort = await startSuiteServer(scope, folder);
  const base = await startSubject(scope, originPort, setCookie);
  return runInThread({ folder, base, only, parallel: Number(flags.parallel) });
}

/** How often tests are asked again that a busy machine may have spoilt. */
const MAX_AGAIN = 3;

/** The results of a run, with those in it that only a busy machine gave asked for again. */
async function settled(
  scope: Scope,
  suite: Suite,
  groups: readonly SuiteGroup[],
  label: SetCookie,
  results: RawResults,
): Promise<RawResults> {
  let latest = results;
  for (let times = 0; times < MAX_AGAIN; times++) {
    const late = overtaken(readExpected(suite.line)[label] ?? {}, score(groups, latest));
    if (!IS_PATINA || flags['origin-port'] !== undefined || late.length === 0) break;
    console.log(
      `asked again, alone, since the proxy's own retry came before the suite's next request: ${late.join(', ')}`,
    );
    const again = await runOnce(scope, suite.folder, label, withDependencies(groups, late));
    latest = { ...latest, ...again.results };
  }
  return latest;
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

function judge({ line }: Suite, label: SetCookie, verdicts: ReadonlyMap<string, Verdict>): boolean {
  const expected = readExpected(line)[label];
  if (expected !== undefined) return report.printComparison(compare(expected, verdicts));
  console.log('there is no list of expected passes yet: --update writes it');
  return true;
}

function writeResults(name: string, outcome: RunOutcome): void {
  const dir = join(cacheFolder(), 'results');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(outcome.results, undefined, 2)}\n`);
  console.log(`results, in the form of the suite: ${file}`);
}

function printStories({ results, stories }: RunOutcome): void {
  for (const [id, story] of Object.entries(stories))
    if (results[id] !== true || flags.only !== undefined) report.printStory(id, story, results[id]);
}

const IS_PATINA = flags.base === undefined && flags['proxy-cmd'] === undefined && flags.proxy === 'patina';

/** One run, shown and judged. */
async function runAs(scope: Scope, suite: Suite, groups: readonly SuiteGroup[], label: SetCookie) {
  const subject = IS_PATINA ? `Patina (${label})` : (flags['proxy-cmd'] ?? flags.base ?? flags.proxy);
  console.log(`\n${suite.title} against ${subject}`);
  const first = await runOnce(scope, suite.folder, label);
  const outcome = { ...first, results: await settled(scope, suite, groups, label, first.results) };
  const verdicts = score(groups, outcome.results);
  report.printFailures(groups, verdicts, outcome.results);
  if (flags.verbose) printStories(outcome);
  let isGood = IS_PATINA ? report.printCacheStatus(checkCacheStatus(outcome.stories)) : true;
  if (flags.only === undefined) {
    writeResults(IS_PATINA ? `patina-${suite.line}-${label}` : 'other', outcome);
    if (IS_PATINA && flags.update) recordVerdicts(suite.line, label, verdicts);
    if (IS_PATINA) isGood = judge(suite, label, verdicts) && isGood;
  }
  return { isGood, scored: { name: subject, verdicts } };
}

async function main(scope: Scope): Promise<number> {
  if (!PROXY_NAMES.some((name) => name === flags.proxy)) throw new Error(`--proxy ${flags.proxy}: not known`);
  if (flags.page) return writePage();
  if (IS_PATINA && installedVersion('patina') === undefined) throw new Error('Patina is not built: npm run build');
  const suite = flags.suite === undefined ? fetchSuite() : suiteIn(flags.suite);
  const groups = await loadGroups(suite.folder);
  if (flags.only !== undefined) flags.only = withDependencies(groups, flags.only.split(',')).join(',');
  const peers = await loadPeers(suite.folder);
  const both = IS_PATINA && flags['set-cookie'] === undefined;
  const labels = both ? SETTINGS : SETTINGS.filter((label) => label === (flags['set-cookie'] ?? 'refuse'));
  const runs: report.Scored[] = [];
  let isGood = true;
  for (const label of labels) {
    const run = await runAs(scope, suite, groups, label);
    runs.push(run.scored);
    isGood = run.isGood && isGood;
  }
  if (flags.only !== undefined) return isGood ? 0 : 1;
  const shown = flags['no-peers'] ? [] : peers;
  console.log('');
  report.printScores(groups, [...runs, ...report.scorePeers(groups, shown)]);
  if (shown.length > 0)
    console.log(`peers as stored: ${shown.map((peer) => `${peer.name} ${peer.version}`).join(', ')}`);
  if (IS_PATINA && flags.update) {
    recordCatalogue(suite, groups, peers);
    writePage();
  }
  return report.printDifference(groups, runs) && isGood ? 0 : 1;
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
