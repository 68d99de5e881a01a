/** `npm run bench -- --profile NAME`: Patina alone under the load of a scenario, with the profiler of node on. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bySources, type CpuProfile, type SelfTime, summarize } from './cpu-profile.js';
import { type Fleet, PLAIN_SETTINGS, startContestant } from './fleet.js';
import type { Machine } from './machine.js';
import { layGround, runOnce } from './rate.js';
import { checkoutRoot } from './root.js';
import type { Bench, Scenario } from './scenario.js';
import { withScope } from './scope.js';
import { startSwiftOrigin } from './swift.js';
import { textTable } from './table.js';

const SAMPLE_US = 200;
const SHOWN_FUNCTIONS = 40;
const SHOWN_FILES = 20;

function table(title: string, times: readonly SelfTime[], shown: number): string {
  const rows = times
    .slice(0, shown)
    .map(({ name, share, ms }) => [`${(share * 100).toFixed(1)} %`, ms.toFixed(0), name]);
  return textTable(['self', 'ms', title], rows);
}

function readProfile(folder: string): { text: string; profile: CpuProfile } {
  const [file] = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error('node wrote no profile: did it end by a signal?');
  const text = readFileSync(join(folder, file), 'utf8');
  return { text, profile: JSON.parse(text) as CpuProfile };
}

/** Of a file of the program; what packages bring is not looked into. */
function mapOf(url: string): SourceMapPayload | undefined {
  if (!url.startsWith('file:') || url.includes('/node_modules/')) return undefined;
  const file = `${fileURLToPath(url)}.map`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SourceMapPayload) : undefined;
}

export async function profileScenario(scenario: Scenario, machine: Machine, isQuick: boolean): Promise<void> {
  const order = scenario.rate;
  if (order === undefined) throw new Error(`${scenario.name} has no load of its own: profile another scenario`);
  await withScope(async (scope) => {
    const folder = scope.folder('profile');
    const origin = await startSwiftOrigin(scope);
    const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-interval=${SAMPLE_US}`];
    const settings = { ...PLAIN_SETTINGS, ...order.settings, originPort: origin.port, nodeFlags };
    const startedAt = performance.now();
    const patina = await startContestant(scope, 'patina', settings);
    const pick = (full: number, quick: number) => (isQuick ? quick : full);
    const fleet = async (): Promise<Fleet> => ({ origin, contestants: [patina], leftOut: [] });
    const bench: Bench = { scope, isQuick, subjects: ['patina'], pick, fleet };
    await layGround(bench, order, origin, patina);
    await runOnce(bench, order, origin, patina, 0, 1);
    const skipMs = performance.now() - startedAt;
    const sample = await runOnce(bench, order, origin, patina, 1, pick(5, 2));
    await patina.running.stop();
    const { text, profile } = readProfile(folder);
    const { busyMs, idleMs, functions, files } = summarize(bySources(profile, mapOf), skipMs);
    const dir = join(checkoutRoot(), 'bench/results');
    mkdirSync(dir, { recursive: true });
    const file = join(dir, `profile-${scenario.name}.cpuprofile`);
    writeFileSync(file, text);
    const { commit, node, cpu } = machine;
    console.log(`${scenario.name}: ${scenario.about}\ncommit ${commit}, Node ${node}, ${cpu}`);
    console.log(
      `${sample.perSec.toFixed(0)} requests/s, ${sample.perCpuSec.toFixed(0)} for a second of CPU, p99 ${sample.p99Ms} ms`,
    );
    console.log(`busy ${busyMs.toFixed(0)} ms, idle ${idleMs.toFixed(0)} ms (start and warm-up left out)\n`);
    console.log(`${table('function', functions, SHOWN_FUNCTIONS)}\n\n${table('file', files, SHOWN_FILES)}`);
    console.log(`\nthe whole profile, for the tools of a browser: ${file}`);
    return 0;
  });
}
