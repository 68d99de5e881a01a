/** `npm run real`: Patina in front of nginx and of an Express application, with a real tree of files. */
import { createHash } from 'node:crypto';
import { readFlags } from '../../bench/kit/cli.js';
import { installedVersion, PROXY_NAMES, type ProxyName, startProxy } from '../../bench/kit/proxies.js';
import { type Scope, withScope } from '../../bench/kit/scope.js';
import { expressOrigin, nginxOrigin, type RealOrigin } from './origin.js';
import { Passes, TtlTooShort } from './passes.js';
import { Reader } from './reader.js';
import { makeTree } from './tree.js';

const USAGE = `usage: npm run real -- [options]
  --only nginx|express     one origin alone
  --ttl SECONDS            ttl of the stored responses (8); doubled where the machine is too slow for it
  --proxy patina|nginx|varnish   what is put in front (patina)`;

const flags = readFlags(USAGE, {
  only: { type: 'string' },
  ttl: { type: 'string', default: '8' },
  proxy: { type: 'string', default: 'patina' },
});

const GRACE_SEC = 3600;
const MEMORY_MB = 512;
/** How often the ttl is doubled for a slow machine. */
const MAX_DOUBLINGS = 3;

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function tryWith(
  scope: Scope,
  name: ProxyName,
  root: string,
  make: Make,
  ttlSec: number,
): Promise<number | undefined> {
  const files = makeTree(root);
  const origin = await make(root);
  if (origin === undefined) return undefined;
  await origin.start();
  const settings = { originPort: origin.port, ttlSec, graceSec: GRACE_SEC, memoryMB: MEMORY_MB, pinned: false };
  const proxy = await startProxy(scope, name, settings);
  const resources = [...files, ...origin.dynamic];
  console.log(
    `\n${name} in front of ${origin.name}: ${resources.length} resources, ttl ${ttlSec} s, grace ${GRACE_SEC} s`,
  );
  const reader = new Reader(proxy.port);
  const passes = new Passes({ origin, reader, resources, ttlMs: ttlSec * 1000 });
  try {
    await passes.run();
  } catch (error) {
    // A claim that has failed by then may be why it took so long: that is a result, and no reason to try again.
    if (!(error instanceof TtlTooShort) || passes.record.failedCount === 0) throw error;
    console.log('the remaining passes are left out');
  } finally {
    passes.record.print();
    reader.close();
    await proxy.running.stop();
    await origin.stop();
  }
  return passes.record.failedCount;
}

type Make = (root: string) => Promise<RealOrigin | undefined>;

/** How many claims failed; undefined where the origin is not installed. */
async function prove(scope: Scope, name: ProxyName, make: Make): Promise<number | undefined> {
  for (let doubling = 0; ; doubling++) {
    const ttlSec = Number(flags.ttl) * 2 ** doubling;
    try {
      return await tryWith(scope, name, scope.folder('tree'), make, ttlSec);
    } catch (error) {
      if (!(error instanceof TtlTooShort) || doubling === MAX_DOUBLINGS) throw error;
      console.log(`a pass took longer than the ttl of ${ttlSec} s: once more with ${ttlSec * 2} s`);
    }
  }
}

await withScope(async (scope) => {
  const name = PROXY_NAMES.find((known) => known === flags.proxy);
  if (name === undefined) throw new Error(`--proxy ${flags.proxy}: not known`);
  if (installedVersion(name) === undefined) throw new Error(`${name} is not here (Patina: npm run build)`);
  const failed: number[] = [];
  if (flags.only !== 'express') {
    const count = await prove(scope, name, (root) => nginxOrigin(scope, root));
    if (count === undefined)
      console.log('\nskipped: nginx IS NOT INSTALLED (apt-get install nginx), its part was NOT proved\n');
    else failed.push(count);
  }
  if (flags.only !== 'nginx')
    failed.push((await prove(scope, name, (root) => expressOrigin(scope, root, sha256))) ?? 0);
  const total = failed.reduce((sum, count) => sum + count, 0);
  console.log(total === 0 ? '\nall claims hold' : `\n${total} claims FAILED`);
  return total === 0 ? 0 : 1;
});
