// Goal: issue 5, what state the disk and the shared tier are in is one line in the log for each change, though each of several workers finds it for itself. Method: what workers say, one after the other; and the built command before a redis-server that goes and comes, on a disk that is in its own way.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SILENT } from '../../lib/observe/events.js';
import { CommonStates } from '../../lib/workers/states.js';
import { makeDirectory } from '../kit/disk.js';
import { eventually, needsRedis, startRedis } from '../kit/redis-server.js';
import { startCrew } from './crew.kit.js';

/** What is told of what workers say: `1 shared-up`, or that one is gone. */
function told(...said: string[]): string[] {
  const lines: string[] = [];
  const states = new CommonStates({ ...SILENT, notice: (_level, code) => void lines.push(code) });
  for (const [worker = '', code = ''] of said.map((one) => one.split(' '))) {
    if (code === 'gone') states.gone(Number(worker), true);
    else if (code === 'last') states.gone(Number(worker), false);
    else states.heard(Number(worker), { level: 'info', code, message: code });
  }
  return lines;
}

t.test('issue 5: a state begins with the first worker that is in it, and is over with the last', (t) => {
  t.same(told('1 shared-up', '2 shared-up'), ['shared-up']);
  const down = ['1 shared-down', '2 shared-down'];
  t.same(told(...down), ['shared-down']);
  t.same(told(...down, '1 shared-up'), ['shared-down'], 'one has it again');
  t.same(told(...down, '1 shared-up', '2 shared-up', '3 shared-up'), ['shared-down', 'shared-up']);
  t.same(told(...down, '1 shared-up', '1 shared-down', '2 shared-up'), ['shared-down'], 'and loses it once more');
  t.same(told('1 disk-read-only', '1 disk-writable', '2 disk-read-only'), [
    'disk-read-only',
    'disk-writable',
    'disk-read-only',
  ]);
  t.same(told('1 disk-unreadable', '2 disk-unreadable'), ['disk-unreadable'], 'what does not end is told once');
  t.end();
});

t.test('issue 5: of a shared tier that is gone it is not said that it refuses', (t) => {
  const again = ['1 shared-refusing', '1 shared-down', '1 shared-up', '1 shared-refusing'];
  t.same(told('1 shared-up', ...again), [
    'shared-up',
    'shared-refusing',
    'shared-down',
    'shared-up',
    'shared-refusing',
  ]);
  t.end();
});

t.test('issue 5: a state of a worker that dies is over with it, where others serve that are not in it', (t) => {
  t.same(told('1 shared-up', '2 shared-down', '2 gone'), ['shared-up', 'shared-down', 'shared-up']);
  t.same(told('1 shared-down', '2 shared-down', '2 gone', '1 shared-up'), ['shared-down', 'shared-up']);
  const alone = told('1 shared-down', '1 last', '2 shared-up', '2 shared-down');
  t.same(alone, ['shared-down', 'shared-up', 'shared-down'], 'else that is told by the next');
  t.end();
});

t.test('issue 5: several workers tell of the disk and of the shared tier in one line each', needsRedis(), async (t) => {
  const redis = await startRedis(t);
  const path = join(makeDirectory(t), 'var');
  writeFileSync(path, 'not a directory');
  const crew = await startCrew(t, {
    conf: `cache: {redis: {url: "${redis.url}", timeout: 200ms}, disk: {path: ${path}, size: 64MB}}`,
  });
  const codes = (): string[] =>
    [...crew.out.matchAll(/"code":"((?:shared|disk)-[^"]+)"/g)].map(([, code = '']) => code);
  const isUp = (count: number) => async () => (await crew.metric('patina_shared_up')) === count;
  await eventually(isUp(1), 'all workers are connected');
  await eventually(() => codes().length >= 2, 'and that is told');
  t.same(codes().sort(), ['disk-unavailable', 'shared-up']);
  rmSync(path);
  await eventually(async () => (await crew.metric('patina_disk_state', 'state="off"')) === 0, 'all have the disk');
  t.ok(existsSync(path));
  await redis.stop('SIGKILL');
  await eventually(isUp(0), 'it is gone for all of them');
  await redis.start();
  await eventually(isUp(1), 'and there again');
  await eventually(() => codes().length >= 5, 'all is told');
  t.same(codes().slice(2), ['disk-available', 'shared-down', 'shared-up']);
  const counted = await crew.metric('patina_notices_total', 'code="shared-down"', 'level="warn"');
  t.equal(counted, 1, 'and it is counted once');
});
