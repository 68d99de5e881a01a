// Goal: a quota of processor time counts as so many cores, in all forms that Linux gives it. Method: scripted files.
import t from 'tap';
import { usableCores } from '../../lib/base/cores.js';

function cores(files: Readonly<Record<string, string>>, allowed = 8): number {
  return usableCores(allowed, (path) => files[path]);
}

t.test('without control groups, the cores on which the process may run', async (t) => {
  t.equal(cores({}), 8);
  t.equal(cores({ '/proc/self/cgroup': 'what is this\n::\n' }), 8);
  t.equal(
    usableCores(3, () => undefined),
    3,
  );
});

t.test('version 2: the quota of the group and of those above it, the least of them', async (t) => {
  const group = { '/proc/self/cgroup': '0::/pods/one\n' };
  t.equal(cores({ ...group, '/sys/fs/cgroup/pods/one/cpu.max': '200000 100000\n' }), 2);
  t.equal(cores({ ...group, '/sys/fs/cgroup/pods/one/cpu.max': 'max 100000\n' }), 8);
  t.equal(cores({ ...group, '/sys/fs/cgroup/pods/cpu.max': '300000 100000\n' }), 3);
  const both = { '/sys/fs/cgroup/pods/one/cpu.max': '400000 100000', '/sys/fs/cgroup/pods/cpu.max': '50000 25000' };
  t.equal(cores({ ...group, ...both }), 2);
});

t.test('version 2 in a container, whose own group is the root of what it sees', async (t) => {
  t.equal(cores({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '100000 100000\n' }), 1);
  t.equal(cores({ '/proc/self/cgroup': '0::/docker/abc\n', '/sys/fs/cgroup/cpu.max': '100000 100000\n' }), 1);
});

t.test('version 1: quota and period are files of their own, and -1 is none', async (t) => {
  const group = { '/proc/self/cgroup': '5:memory:/m\n4:cpu,cpuacct:/pods\n0::/\n' };
  const period = { '/sys/fs/cgroup/cpu/pods/cpu.cfs_period_us': '100000\n' };
  t.equal(cores({ ...group, ...period, '/sys/fs/cgroup/cpu/pods/cpu.cfs_quota_us': '300000\n' }), 3);
  t.equal(cores({ ...group, ...period, '/sys/fs/cgroup/cpu/pods/cpu.cfs_quota_us': '-1\n' }), 8);
  t.equal(cores({ ...group, '/sys/fs/cgroup/memory/pods/cpu.cfs_quota_us': '100000' }), 8);
});

t.test('a part of a core is none, less than one is one, and more than there are is no more', async (t) => {
  const group = { '/proc/self/cgroup': '0::/\n' };
  t.equal(cores({ ...group, '/sys/fs/cgroup/cpu.max': '250000 100000' }), 2);
  t.equal(cores({ ...group, '/sys/fs/cgroup/cpu.max': '20000 100000' }), 1);
  t.equal(cores({ ...group, '/sys/fs/cgroup/cpu.max': '1600000 100000' }), 8);
  t.equal(cores({ ...group, '/sys/fs/cgroup/cpu.max': '0 100000' }), 8);
  t.equal(cores({ ...group, '/sys/fs/cgroup/cpu.max': 'max' }), 8);
});
