// Goal: the closing line of a run is true. Method: TAP streams as tap prints them, read by the counter.
import t from 'tap';
import { closingLine, type FileReport, TapReader } from '../tally.js';

function read(stream: string): { files: FileReport[]; line: string } {
  const files: FileReport[] = [];
  const reader = new TapReader((report) => files.push(report));
  for (const line of stream.split('\n')) reader.line(line);
  reader.flush();
  return { files, line: closingLine(reader.total) };
}

t.test('a titled test counts once, an assertion outside of any counts for itself', async (t) => {
  const { files, line } = read(`TAP version 14
# Subtest: a.test.js
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
    1..3
ok 1 - a.test.js # time=5ms
1..1`);
  t.equal(line, '4 passed, 0 failed');
  t.same(
    files.map(({ name }) => name),
    ['a.test.js'],
  );
});

t.test('a failed claim counts once, and its assertions are shown with their diagnosis', async (t) => {
  const { files, line } = read(`# Subtest: a.test.js
    # Subtest: claim
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
    1..1
not ok 1 - a.test.js
  ---
  exitCode: 1
  ...`);
  t.equal(line, '0 passed, 1 failed');
  t.match(files[0]?.complaints.join('\n'), /claim\n {2}not ok 2 - y\n +diff: here\n.*\n.*not ok 3 - z$/s);
  t.notMatch(files[0]?.complaints.join('\n'), /not shown|exitCode/);
});

t.test('a skipped claim is counted apart', async (t) => {
  const { line } = read(`# Subtest: a.test.js
    ok 1 - needs redis # SKIP no redis here
    # Subtest: fine
        ok 1 - x
    ok 2 - fine
ok 1 - a.test.js`);
  t.equal(line, '1 passed, 0 failed, 1 skipped');
});

t.test('a file that crashed after passing claims is a failure, with what tap says of it', async (t) => {
  const { files, line } = read(`# Subtest: a.test.js
    # Subtest: fine
        ok 1 - x
    ok 1 - fine
    1..1
not ok 1 - a.test.js
  ---
  signal: SIGKILL
  ...
# Subtest: b.test.js
    ok 1 - x
ok 2 - b.test.js`);
  t.equal(line, '2 passed, 1 failed');
  t.match(files[0]?.complaints.join('\n'), /signal: SIGKILL/);
  t.same(files[1]?.complaints, []);
});

t.test('a file without any claim is a failure', async (t) => {
  for (const summary of ['ok 1 - a.test.js # SKIP no tests found', 'not ok 1 - a.test.js', 'ok 1 - a.test.js']) {
    t.equal(read(`# Subtest: a.test.js\n    1..0\n${summary}`).line, '0 passed, 1 failed', summary);
  }
});

t.test('what a test prints is not counted', async (t) => {
  const { line } = read(`# Subtest: a.test.js
okay then
    # a comment
    # Subtest: fine
        ok 1 - x
          ---
          text: |
            not ok 2 - part of a diagnosis
            ...
            not ok 3 - still part of it
          ...
    ok 1 - fine
ok 1 - a.test.js`);
  t.equal(line, '1 passed, 0 failed');
});
