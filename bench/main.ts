/** `npm run bench`: each scenario against Patina and, where it makes sense, its rivals on this machine. */
import { spawnSync } from 'node:child_process';
import { readFlags } from './kit/cli.js';
import { loadTool } from './kit/load.js';
import { describeMachine, LOAD_CORE } from './kit/machine.js';
import { installedVersion, PROXY_NAMES, type ProxyName } from './kit/proxies.js';
import { countMisses, printResult, printScenario, type ScenarioResult, writeResult } from './kit/report.js';
import type { Scenario } from './kit/scenario.js';
import { Scope } from './kit/scope.js';
import { SCENARIOS } from './scenarios/index.js';

const USAGE = `usage: npm run bench -- [options]
  --only NAME[,NAME]      these scenarios alone: ${SCENARIOS.map((scenario) => scenario.name).join(', ')}
  --proxies NAME[,NAME]   what to measure; the first is judged, the others are rivals (${PROXY_NAMES.join(',')})
  --quick                 shorter runs, all in under 2 minutes`;

const flags = readFlags(USAGE, {
  only: { type: 'string' },
  proxies: { type: 'string', default: PROXY_NAMES.join(',') },
  quick: { type: 'boolean', default: false },
});

function chooseScenarios(): readonly Scenario[] {
  if (flags.only === undefined) return SCENARIOS;
  return flags.only.split(',').map((name) => {
    const found = SCENARIOS.find((scenario) => scenario.name === name);
    if (found === undefined) throw new Error(`there is no scenario ${name}`);
    return found;
  });
}

/** Those asked for that are here; the first must be. */
function chooseSubjects(): Map<ProxyName, string> {
  const subjects = new Map<ProxyName, string>();
  for (const [i, asked] of flags.proxies.split(',').entries()) {
    const name = PROXY_NAMES.find((known) => known === asked);
    if (name === undefined) throw new Error(`there is no proxy ${asked}`);
    const version = installedVersion(name);
    if (version !== undefined) subjects.set(name, version);
    else if (i === 0) throw new Error(`${name} is not here (Patina: npm run build)`);
    else console.log(`skipped: ${name} IS NOT INSTALLED`);
  }
  return subjects;
}

async function carryOut(scenario: Scenario, subjects: readonly ProxyName[], isQuick: boolean): Promise<ScenarioResult> {
  const scope = new Scope();
  const { name, about } = scenario;
  const pick = (full: number, quick: number) => (isQuick ? quick : full);
  try {
    const bench = { scope, isQuick, subjects: scenario.hasRivals ? subjects : subjects.slice(0, 1), pick };
    return { name, about, figures: await scenario.run(bench), failure: undefined };
  } catch (error) {
    return { name, about, figures: [], failure: error instanceof Error ? error.message : String(error) };
  } finally {
    await scope.close();
  }
}

const isQuick = flags.quick;
const subjects = chooseSubjects();
const chosen = chooseScenarios();
const machine = describeMachine();
// The load tools and the origins inherit it; the servers under test are given their own core.
if (LOAD_CORE !== undefined) spawnSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)]);
const scenarios: ScenarioResult[] = [];
for (const scenario of chosen) {
  const result = await carryOut(scenario, [...subjects.keys()], isQuick);
  printScenario(result);
  scenarios.push(result);
}
const result = {
  at: new Date().toISOString(),
  machine,
  subjects: Object.fromEntries(subjects),
  load: loadTool(),
  isQuick,
  scenarios,
};
printResult(result);
console.log(`\nwritten to ${writeResult(result, !isQuick && flags.only === undefined && subjects.has('patina'))}`);
const misses = countMisses(scenarios);
console.log(misses === 0 ? 'all targets are met' : `${misses} targets are MISSED`);
process.exitCode = misses === 0 ? 0 : 1;
