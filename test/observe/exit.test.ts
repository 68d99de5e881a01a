/** Goal: a process that ends without closing its log loses no line that it could write. Method: child processes with real descriptors. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';

const ACCESS_LOG = new URL('../../lib/observe/access-log.js', import.meta.url).href;
const CLOCK = new URL('../../lib/base/clock.js', import.meta.url).href;
const EVENTS = new URL('./events.kit.js', import.meta.url).href;

function start(body: string, destination: number | string = 1) {
  const program = `
    import { createAccessLog } from ${JSON.stringify(ACCESS_LOG)};
    import { systemClock } from ${JSON.stringify(CLOCK)};
    import { answered } from ${JSON.stringify(EVENTS)};
    const log = createAccessLog({ format: 'json', destination: ${JSON.stringify(destination)}, clock: systemClock() });
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
}

t.test('lines that wait for their batch are written at process.exit', async (t) => {
  const child = start('for (let i = 0; i < 5; i++) log.answered(answered()); process.exit(3);');
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  t.equal(code, 3);
  t.equal(text.split('\n').length, 6);
});

t.test('more lines than one batch holds are written at process.exit, whole and in order', async (t) => {
  // Too few of them to be made before.
  const count = 50;
  const child = start(`
    for (let i = 0; i < ${count}; i++) log.answered(answered({ target: '/' + i, userAgent: 'x'.repeat(10_000) }));
    process.exit();`);
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  const targets = text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { target: string }).target);
  t.strictSame(
    targets,
    Array.from({ length: count }, (_, i) => `/${i}`),
  );
});

t.test('lines are written when the loop runs empty', async (t) => {
  const child = start('log.answered(answered());');
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  t.equal(text.split('\n').length, 2);
});

t.test('a reader that closes its pipe does not end the process', async (t) => {
  const child = start(`
    let rounds = 0;
    const timer = setInterval(async () => {
      log.answered(answered());
      await log.flush();
      if (log.stats.droppedLines > 2 || ++rounds > 500) {
        clearInterval(timer);
        process.exit(log.stats.droppedLines > 2 ? 7 : 1);
      }
    }, 5);`);
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  t.equal(code, 7);
});

t.test(
  'a full device stalls neither close nor exit',
  { skip: process.platform !== 'linux' && 'needs /dev/full' },
  async (t) => {
    const exiting = start('log.answered(answered()); process.exit(4);', '/dev/full');
    t.equal((await once(exiting, 'exit'))[0], 4);
    const closing = start(
      'log.answered(answered()); await log.close(); process.exit(log.stats.failedWrites > 0 ? 5 : 1);',
      '/dev/full',
    );
    t.equal((await once(closing, 'exit'))[0], 5);
  },
);

t.test('many proxies in one process are one listener to its end, so Node warns of no leak', async (t) => {
  const child = start(`
    const more = Array.from({ length: 20 }, () => createAccessLog({ format: 'json', destination: 1, clock: systemClock() }));
    const during = process.listenerCount('exit');
    for (const one of more) { one.answered(answered()); await one.close(); }
    await log.close();
    console.log(during - process.listenerCount('exit'));`);
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(child, 'close');
  t.equal(text.trim().split('\n').at(-1), '1');
});
