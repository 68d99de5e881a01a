// Goal: the end of the process waits for what a thread writes, and lets nothing more begin. Method: the gate by itself, from both sides.
import t from 'tap';
import { DiskGate } from '../../lib/store/disk-gate.js';

t.test('what has begun is waited for, for so long, and nothing begins once it is shut', async (t) => {
  const here = new DiskGate();
  const there = new DiskGate(here.shared);
  t.ok(there.enter());
  t.notOk(there.enter(), 'one at a time');
  there.leave();
  t.ok(there.enter(), 'one after another');
  t.notOk(here.shut(1), 'it is not over in time');
  there.leave();
  t.notOk(there.enter(), 'it was the last');
  t.ok(here.shut(0));
  t.notOk(there.enter());
  there.leave();
  t.notOk(there.enter(), 'to leave does not open it');
  t.ok(here.shut(0), 'shut twice');
});
