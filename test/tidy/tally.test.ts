// Goal: the closing line of a run is true. Method: TAP as test files print it, read by the counter.
import t from 'tap';
import { closingLine, TapReader } from '../tally.js';

function read(stream: string, failure?: string) {
  const reader = new TapReader();
  for (const line of stream.split('\n')) reader.line(line);
  const report = reader.end(failure);
  return { line: closingLine(report), complaints: report.complaints.join('\n') };
}

t.test('a titled test counts once, an assertion outside of any counts for itself', async (t) => {
  const { line } = read(`TAP version 14
# Subtest: first claim
    ok 1 - x
    ok 2 - y
    1..2
ok 1 - first claim # time=1ms

# Subtest: group
    # Subtest: inner one
        ok 1 - x
        1..1
    ok 1 - inner one
    # Subtest: inner two
        1..0
    ok 2 - inner two
    1..2
ok 2 - group
ok 3 - alone
1..3`);
  t.equal(line, '4 passed, 0 failed');
});

t.test('a failed claim counts once, and its assertions are shown with their diagnosis', async (t) => {
  const { line, complaints } = read(
    `# Subtest: claim
    ok 1 - x
    not ok 2 - y
      ---
      diff: here
      ...
    not ok 3 - z
    1..3
not ok 1 - claim
  ---
  at: not shown
  ...
1..1`,
    'the process ended with exit code 1',
  );
  t.equal(line, '0 passed, 1 failed');
  t.match(complaints, /^claim\n {2}not ok 2 - y\n +diff: here\n.*\nclaim\n {2}not ok 3 - z$/);
});

t.test('a skipped claim is counted apart', async (t) => {
  const { line } = read(`ok 1 - needs redis # SKIP no redis here
# Subtest: fine
    ok 1 - x
ok 2 - fine
# Subtest: later # SKIP
ok 3 - later # SKIP`);
  t.equal(line, '1 passed, 0 failed, 2 skipped');
});

t.test('a group that fails by itself counts as one failure beside its claims', async (t) => {
  const { line } = read(`# Subtest: group
    # Subtest: inner
        ok 1 - x
    ok 1 - inner
    not ok 2 - an assertion of the group
not ok 1 - group`);
  t.equal(line, '1 passed, 1 failed');
});

t.test('a file that crashed after passing claims is a failure, and says where it was', async (t) => {
  const { line, complaints } = read(
    `# Subtest: fine
    ok 1 - x
ok 1 - fine
# Subtest: deadly
    ok 1 - x`,
    'the process ended with SIGKILL',
  );
  t.equal(line, '1 passed, 1 failed');
  t.equal(complaints, 'in: deadly\nthe process ended with SIGKILL');
});

t.test('a file without any claim is a failure, whatever its exit code', async (t) => {
  for (const failure of [undefined, 'the process ended with exit code 7']) {
    t.equal(read('TAP version 14\n1..0 # no tests', failure).line, '0 passed, 1 failed');
  }
});

t.test('what a test prints is not counted', async (t) => {
  const { line } = read(`okay then
# a comment
# Subtest: fine
    ok 1 - x
      ---
      text: |
        not ok 2 - part of a diagnosis
        ...
        not ok 3 - still part of it
      ...
ok 1 - fine`);
  t.equal(line, '1 passed, 0 failed');
});
