// Goal: decision 0044, V8 is told sooner to compile what has run, where it knows the flag and nobody has said otherwise. Method: versions and words by hand, and a process of its own.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { compilerFlags } from '../../lib/base/compiler.js';

const MODULE = new URL('../../lib/base/compiler.js', import.meta.url).href;

t.test('it is told where there is no compiler in between, and by nobody else', async (t) => {
  t.same(compilerFlags('11.3.244.8-node.33', '').length, 1);
  t.same(compilerFlags('12.4.254.21-node.33', ''), []);
  t.same(compilerFlags('13.6.233.17-node.41', ''), []);
  t.same(compilerFlags('11.3.244.8-node.33', '--interrupt-budget=1000'), []);
  t.same(compilerFlags('11.3.244.8-node.33', '--interrupt_budget=1000'), []);
  t.same(compilerFlags('11.3.244.8-node.33', '--maglev'), []);
});

t.test('V8 takes it without a word, and the program runs', async (t) => {
  const program = `
    import { tuneCompiler } from ${JSON.stringify(MODULE)};
    tuneCompiler();
    let sum = 0;
    const add = (n) => { sum += n; };
    for (let i = 0; i < 1_000_000; i++) add(i % 3);
    console.log(sum);
  `;
  const env = { ...process.env, NODE_OPTIONS: '' };
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.equal(told.trim(), '999999');
});
