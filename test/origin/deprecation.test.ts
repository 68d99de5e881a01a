// Goal: users see no deprecation warning of http-proxy's, on any Node. Method: a child process in which a warning is an error passes a request and an upgrade.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('loading and using the pass lane warns of nothing', async (t) => {
  const script = fileURLToPath(new URL('./deprecation-child.js', import.meta.url));
  const flags = ['--throw-deprecation', '--pending-deprecation', '--trace-warnings'];
  const result = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [...flags, script], { env: {} }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
  t.equal(result.stderr, '');
  t.equal(result.stdout, '200 101\n');
  t.equal(result.code, 0);
});
