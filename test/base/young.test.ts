// Goal: decision 0029, the young generation stays as small as it is kept, whatever is alive. Method: a process of its own that keeps much alive, with and without.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const MODULE = new URL('../../lib/base/young.js', import.meta.url).href;
const MB = 1024 * 1024;

/** Allocates, of which much stays alive for a while; prints the largest size that the space had. */
const PROGRAM = `
import v8 from 'node:v8';
import { setImmediate as turn } from 'node:timers/promises';
import { keepYoungSmall } from ${JSON.stringify(MODULE)};
keepYoungSmall();
let most = 0;
let kept = [];
for (let round = 0; round < 400; round++) {
  for (let i = 0; i < 10_000; i++) {
    const made = { i, list: [i] };
    if (i % 4 === 0) kept.push(made);
  }
  if (kept.length > 200_000) kept = [];
  await turn();
  most = Math.max(most, v8.getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size);
}
console.log(most);
`;

function run(...flags: string[]): number {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const args = [...flags, '--input-type=module', '-e', PROGRAM];
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8', env, cwd }));
}

t.test('decision 0029: it grows to 4 MB, of which there are two, and no further', async (t) => {
  const most = run();
  t.ok(most > 4 * MB, `${most} bytes`);
  t.ok(most <= 8 * MB, `${most} bytes`);
});

t.test('decision 0029: who says on the command line how large it is has it so', async (t) => {
  const most = run('--max-semi-space-size=16');
  t.ok(most > 16 * MB, `${most} bytes`);
});
