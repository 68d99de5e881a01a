/** Goal: what is written goes where it is to go, and no descriptor is left open or closed twice. Method: real files, and streams that tests script. */
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { LineBatch } from '../../lib/observe/line-batch.js';
import { OpenDestination } from '../../lib/observe/log-destination.js';

function batchOf(text: string): LineBatch {
  const bytes = Buffer.from(text);
  return { bytes, length: bytes.length };
}

function filesOf(t: Test): { path: string; moved: string } {
  const directory = mkdtempSync(join(tmpdir(), 'patina-log-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return { path: join(directory, 'access.log'), moved: join(directory, 'access.log.1') };
}

function written(to: OpenDestination, batch: LineBatch, from = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    to.write(batch, from, (error, bytes) => (error instanceof Error ? reject(error) : resolve(bytes)));
  });
}

t.test(
  'a write that is under way when the file is opened anew ends in the old one, which is closed then',
  async (t) => {
    const { path, moved } = filesOf(t);
    const to = new OpenDestination(path);
    renameSync(path, moved);
    const underWay = written(to, batchOf('one\n'));
    to.reopen();
    t.equal(await underWay, 4);
    t.equal(await written(to, batchOf('two\n')), 4);
    to.close();
    t.equal(readFileSync(moved, 'utf8'), 'one\n');
    t.equal(readFileSync(path, 'utf8'), 'two\n');
  },
);

t.test('only what is left of a batch is written', async (t) => {
  const { path } = filesOf(t);
  const to = new OpenDestination(path);
  t.equal(await written(to, batchOf('one\ntwo\n'), 4), 4);
  to.writeNow(batchOf('three\n'));
  to.close();
  to.close();
  t.equal(readFileSync(path, 'utf8'), 'two\nthree\n');
});

t.test('a descriptor that was opened elsewhere is not closed, nor opened anew', async (t) => {
  const { path } = filesOf(t);
  const fd = openSync(path, 'a');
  t.teardown(() => closeSync(fd));
  const to = new OpenDestination(fd);
  t.equal(to.hasPath, false);
  t.equal(to.isFile, true);
  to.reopen();
  to.close();
  t.equal(fstatSync(fd).isFile(), true);
});

t.test('what a stream throws is told as a failed write, and its events end nothing', async (t) => {
  const listeners: ((error: Error) => void)[] = [];
  const to = new OpenDestination({
    write: () => {
      throw new Error('destroyed');
    },
    on: (_event, listener) => listeners.push(listener),
  });
  t.equal(to.isStream, true);
  await t.rejects(written(to, batchOf('one\n')), { message: 'destroyed' });
  for (const listener of listeners) listener(new Error('unheard'));
  t.equal(listeners.length, 1);
});
