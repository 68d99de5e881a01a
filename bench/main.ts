/** `npm run bench`: each scenario against Patina and, where it makes sense, its rivals on this machine. */
import { spawnSync } from 'node:child_process';
import { readFlags } from './kit/cli.js';
import { Fleets } from './kit/fleet.js';
import { loadTool } from './kit/load.js';
import { canPin, describeMachine, findProgram, LOAD_CORE, type Machine } from './kit/machine.js';
import { profileScenario } from './kit/profile.js';
import { installedVersion, lacking, PROXY_NAMES, type ProxyName } from './kit/proxies.js';
import { renewReadme } from './kit/readme.js';
import {
  type BenchResult,
  countMisses,
  printResult,
  printScenario,
  type ScenarioResult,
  writeResult,
} from './kit/report.js';
import type { Scenario } from './kit/scenario.js';
import { Scope } from './kit/scope.js';
import { SCENARIOS } from './scenarios/index.js';

/** Judged and rivals where there is little time. */
const QUICK_PROXIES: readonly ProxyName[] = ['patina', 'nginx', 'varnish'];

/** A quick run ends within two minutes: after so long nothing more begins, whatever else the machine does. */
const QUICK_BEGINS_SEC = 95;

const USAGE = `usage: npm run bench -- [options]
  --only NAME[,NAME]      these scenarios alone: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}
  --proxies NAME[,NAME]   what to measure; the first is judged, the others are rivals (${PROXY_NAMES.join(',')})
  --quick                 shorter and fewer runs, under 2 minutes in all (what does not fit is named), beside ${QUICK_PROXIES.slice(1).join(' and ')} unless others are named;
                          leaves out what says nothing when it is short: ${longOnes().join(', ')}
  --keep                  these results become bench/results/latest.json: those of the scenarios that were run
  --profile NAME          where the time goes in Patina under the load of this scenario, by --cpu-prof
  --readme                puts the results of bench/results/latest.json into README.md`;

const flags = readFlags(USAGE, {
  only: { type: 'string' },
  proxies: { type: 'string' },
  quick: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  profile: { type: 'string' },
  readme: { type: 'boolean', default: false },
});

function longOnes(): string[] {
  return SCENARIOS.filter(({ isLong }) => isLong === true).map(({ name }) => name);
}

function scenarioOf(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  console.error(`there is no scenario ${name}\n\n${USAGE}`);
  return process.exit(2);
}

function chooseScenarios(): readonly Scenario[] {
  if (flags.only !== undefined) return flags.only.split(',').map(scenarioOf);
  if (!flags.quick) return SCENARIOS;
  const long = longOnes();
  if (long.length > 0)
    console.log(`left out by --quick, since they take too long; to run them: --quick --only ${long.join(',')}`);
  return SCENARIOS.filter((scenario) => scenario.isLong !== true);
}

/** Those asked for that are here; the first must be. */
function chooseSubjects(): Map<ProxyName, string> {
  const subjects = new Map<ProxyName, string>();
  const asked = flags.proxies?.split(',') ?? (flags.quick ? QUICK_PROXIES : PROXY_NAMES);
  for (const [i, word] of asked.entries()) {
    const name = PROXY_NAMES.find((known) => known === word);
    if (name === undefined) {
      console.error(`there is no proxy ${word}\n\n${USAGE}`);
      process.exit(2);
    }
    const version = installedVersion(name);
    const why = version === undefined ? 'it is NOT INSTALLED here' : lacking(name);
    if (why === undefined && version !== undefined) subjects.set(name, version);
    else if (i === 0) throw new Error(`${name} is not here (Patina: npm run build)`);
    else console.log(`${name} is left out: ${why}`);
  }
  return subjects;
}

function sayWhatIsMissing(): void {
  if (loadTool() === 'autocannon')
    console.log(
      'the load comes from autocannon, since wrk is not installed: it cannot drive 100,000 requests a second from one core',
    );
  if (findProgram('taskset') === undefined)
    console.log('taskset is NOT INSTALLED here: the server and the load share all cores, and the numbers say less');
  else if (!canPin()) console.log('there is one core: the server and the load share it, and the numbers say less');
}

async function carryOut(scenario: Scenario, subjects: readonly ProxyName[], fleets: Fleets): Promise<ScenarioResult> {
  const scope = new Scope();
  const { name, about } = scenario;
  const own = scenario.hasRivals ? subjects : subjects.slice(0, 1);
  const isQuick = flags.quick;
  const startedAt = performance.now();
  const took = () => (performance.now() - startedAt) / 1000;
  try {
    const outcome = await scenario.run({
      scope,
      isQuick,
      subjects: own,
      pick: (full, quick) => (isQuick ? quick : full),
      fleet: (settings) => fleets.take(scope, own, settings),
    });
    const { figures, leftOut } = 'figures' in outcome ? outcome : { figures: outcome, leftOut: [] };
    return { name, about, figures, leftOut, tookSec: took(), failure: undefined };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { name, about, figures: [], leftOut: [], tookSec: took(), failure };
  } finally {
    await scope.close();
  }
}

async function bench(machine: Machine): Promise<void> {
  const subjects = chooseSubjects();
  const chosen = chooseScenarios();
  const scenarios: ScenarioResult[] = [];
  const result: BenchResult = {
    at: new Date().toISOString(),
    machine,
    subjects: Object.fromEntries(subjects),
    load: loadTool(),
    isQuick: flags.quick,
    scenarios,
  };
  const fleets = new Fleets(flags.quick);
  const startedAt = performance.now();
  const tookSec = () => (performance.now() - startedAt) / 1000;
  const hasLimit = flags.quick && flags.only === undefined;
  try {
    for (const [i, scenario] of chosen.entries()) {
      if (hasLimit && tookSec() > QUICK_BEGINS_SEC) {
        const rest = chosen.slice(i).map(({ name }) => name);
        console.log(`\nleft out, since this machine is slow now; to run them: --quick --only ${rest.join(',')}`);
        break;
      }
      const done = await carryOut(scenario, [...subjects.keys()], fleets);
      printScenario(done);
      scenarios.push(done);
      // A run that is ended before its time keeps what it has measured.
      writeResult(result, flags.keep, false);
    }
  } finally {
    await fleets.close();
  }
  printResult(result);
  const isWhole = !flags.quick && flags.only === undefined && subjects.has('patina');
  console.log(`\nwritten to ${writeResult(result, isWhole || flags.keep, isWhole)}`);
  console.log(`${scenarios.length} scenarios in ${tookSec().toFixed(0)} s`);
  const misses = countMisses(scenarios);
  console.log(misses === 0 ? 'all targets are met' : `${misses} targets are MISSED`);
  process.exitCode = misses === 0 ? 0 : 1;
}

if (flags.readme) {
  renewReadme();
} else {
  sayWhatIsMissing();
  // Before this process has a core of its own: it would count one.
  const machine = describeMachine();
  // The load tools and the origins inherit it; the servers under test are given their own core.
  if (LOAD_CORE !== undefined) spawnSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)]);
  if (flags.profile === undefined) await bench(machine);
  else await profileScenario(scenarioOf(flags.profile), machine, flags.quick);
}
