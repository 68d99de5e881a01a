// Goal: patina run starts, tells its addresses, drains on a signal, and ends with the right exit code. Method: a scripted world and proxy, no process.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CONFIG_SETTLE_MS } from '../../lib/base/config-limits.js';
import { parseArguments } from '../../lib/cli/arguments.js';
import { type RunningProxy, run, type World } from '../../lib/cli/run.js';
import type { Config } from '../../lib/config/schema.js';
import type { Source } from '../../lib/proxy.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { makeDirectory } from '../kit/disk.js';

function makeGate(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve: () => resolve() };
}

class ScriptedWorld implements World {
  readonly env: Record<string, string> = {};
  readonly clock = new FakeClock();
  readonly version = '9.9.9';
  readonly said: string[] = [];
  readonly complaints: string[] = [];
  readonly calls: string[] = [];
  config: Config | undefined;
  failure: unknown;
  starting: Promise<void> = Promise.resolve();
  readonly closed = makeGate();
  drained: Promise<void> = Promise.resolve();
  leaving: Promise<void> = new Promise(() => {});
  /** Runs at each line said, to act when the proxy is ready. */
  onSaid: () => void = () => {};
  #stop: (() => void) | undefined;
  /** What SIGHUP calls. */
  reload: (() => void) | undefined;
  /** What a change of each watched file calls. */
  readonly watched = new Map<string, () => void>();

  createProxy({ config }: Source): RunningProxy {
    this.config = config;
    const note = (call: string) => {
      this.calls.push(call);
    };
    return {
      start: async () => {
        note('start');
        // As the contract has it: closed meanwhile, it rejects.
        await Promise.race([this.starting, this.closed.promise]);
        if (this.calls.includes('close')) throw new Error('closed while it started');
        if (this.failure !== undefined) throw this.failure;
        return { listen: '127.0.0.1:1234', admin: config.admin.listen === undefined ? undefined : '127.0.0.1:1235' };
      },
      leaving: this.leaving,
      drain: () => {
        note('drain');
        return this.drained;
      },
      close: async () => {
        note('close');
        this.closed.resolve();
      },
      reload: async () => note('reload'),
    };
  }

  say(line: string): void {
    this.said.push(line);
    this.onSaid();
  }

  complain(line: string): void {
    this.complaints.push(line);
  }

  onStopSignal(stop: () => void): () => void {
    this.#stop = stop;
    return () => {
      this.#stop = undefined;
    };
  }

  onReloadSignal(reload: () => void): () => void {
    this.reload = reload;
    return () => {
      this.reload = undefined;
    };
  }

  watchFile(file: string, changed: () => void): () => void {
    this.watched.set(file, changed);
    return () => this.watched.delete(file);
  }

  get isListening(): boolean {
    return this.#stop !== undefined;
  }

  signal(): void {
    this.#stop?.();
  }
}

function runWith(world: World, ...args: string[]): Promise<number> {
  const command = parseArguments(args);
  if (command.kind !== 'run') throw new Error('not a run');
  return run(command, world);
}

t.test(
  'section 7: it prints one line with the addresses when it is ready, and a signal drains it to exit code 0',
  async (t) => {
    const world = new ScriptedWorld();
    world.onSaid = () => world.signal();
    t.equal(await runWith(world, '--origin', 'http://127.0.0.1:3000'), 0);
    t.same(world.said, [
      'patina 9.9.9 ready on http://127.0.0.1:1234, origin http://127.0.0.1:3000, admin http://127.0.0.1:1235',
    ]);
    t.same(world.calls, ['start', 'drain', 'close']);
    t.notOk(world.isListening, 'signals are left alone afterwards');
  },
);

t.test('section 7: admin off is said', async (t) => {
  const world = new ScriptedWorld();
  world.onSaid = () => world.signal();
  await runWith(world, '--origin', 'http://127.0.0.1:3000', '--admin', 'off');
  t.match(world.said[0], /, admin off$/);
});

t.test('a signal that comes while starting is not lost', async (t) => {
  const world = new ScriptedWorld();
  const ended = runWith(world, '--origin', 'http://127.0.0.1:3000');
  world.signal();
  t.equal(await ended, 0);
});

t.test('a second signal ends a drain that hangs', async (t) => {
  const world = new ScriptedWorld();
  world.drained = new Promise(() => {});
  world.onSaid = () => {
    world.signal();
    world.signal();
  };
  t.equal(await runWith(world, '--origin', 'http://127.0.0.1:3000'), 0);
  t.same(world.calls, ['start', 'drain', 'close']);
});

t.test('with no origin a demo origin is started, its hints are printed and its log is for people', async (t) => {
  const world = new ScriptedWorld();
  let status = 0;
  const asked = new Promise<void>((resolve) => {
    world.onSaid = () => {
      const url = world.config?.origin.url;
      if (url === undefined || world.said.length !== 1) return;
      void fetch(new URL('/nothing', url)).then((response) => {
        status = response.status;
        resolve();
      });
      // The demo's own pace is on this clock: its answer falls due once it has been asked.
      const pump = () => {
        world.clock.advance(1000);
        if (status === 0) setImmediate(pump);
      };
      pump();
    };
  });
  const ended = runWith(world);
  await asked;
  world.signal();
  t.equal(await ended, 0);
  t.equal(status, 404, 'the demo answered');
  t.match(world.said[0], /origin http:\/\/127\.0\.0\.1:\d+ \(demo\)/);
  t.ok(world.said.some((line) => line.includes('curl -i http://127.0.0.1:1234/article/1')));
  t.equal(world.config?.log.access, 'pretty');
});

t.test('the access log of the demo can be chosen all the same', async (t) => {
  const world = new ScriptedWorld();
  world.onSaid = () => world.signal();
  await runWith(world, '--set', 'log.access=json');
  t.equal(world.config?.log.access, 'json');
});

t.test(
  'section 7: a bad configuration ends with exit code 2, one line for each problem, and nothing started',
  async (t) => {
    const world = new ScriptedWorld();
    t.equal(await runWith(world, '--origin', 'x', '--set', 'cache.memory=1'), 2);
    t.equal(world.complaints.length, 2);
    for (const line of world.complaints) t.match(line, /^patina: --/);
    t.same(world.calls, []);
    t.notOk(world.isListening);
  },
);

t.test('an address that cannot be listened on ends with exit code 2 and says which and why', async (t) => {
  const table: [object, RegExp][] = [
    [{ code: 'EADDRINUSE', port: 8080 }, /cannot listen on 127\.0\.0\.1:8080: the port is in use.*--listen/],
    [{ code: 'EADDRINUSE', port: 8081 }, /cannot listen on 127\.0\.0\.1:8081: the port is in use.*--admin/],
    [{ code: 'EACCES', port: 8080 }, /ports below 1024 need a privilege/],
    [{ code: 'EADDRNOTAVAIL', port: 8080 }, /this machine has no such address/],
    [{ code: 'ENOTFOUND', hostname: '127.0.0.1' }, /no address is known for this host name/],
  ];
  for (const [failure, line] of table) {
    const world = new ScriptedWorld();
    world.failure = Object.assign(new Error('listen'), failure);
    t.equal(await runWith(world, '--origin', 'http://127.0.0.1:3000'), 2);
    t.match(world.complaints, [line]);
    t.same(world.calls, ['start', 'close']);
  }
});

t.test('a fault of the program itself is not hidden behind exit code 2', async (t) => {
  const world = new ScriptedWorld();
  world.failure = new TypeError('broken');
  await t.rejects(runWith(world, '--origin', 'http://127.0.0.1:3000'), { message: 'broken' });
  t.same(world.calls, ['start', 'close']);
});

t.test('issue 4: SIGHUP reloads, and is not listened to any more after the end', async (t) => {
  const world = new ScriptedWorld();
  world.onSaid = () => {
    world.reload?.();
    world.signal();
  };
  t.equal(await runWith(world, '--origin', 'http://127.0.0.1:1'), 0);
  t.same(world.calls, ['start', 'reload', 'drain', 'close']);
  t.equal(world.reload, undefined);
});

t.test('issue 4: --watch reloads once the file has stayed as it is for a moment', async (t) => {
  const file = join(t.testdir({ 'p.yaml': 'origin: http://127.0.0.1:1' }), 'p.yaml');
  const world = new ScriptedWorld();
  world.onSaid = () => {
    const changed = world.watched.get(file);
    changed?.();
    world.clock.advance(CONFIG_SETTLE_MS - 1);
    changed?.();
    world.clock.advance(CONFIG_SETTLE_MS - 1);
    t.notOk(world.calls.includes('reload'));
    world.clock.advance(1);
    world.signal();
  };
  t.equal(await runWith(world, '--config', file, '--watch'), 0);
  t.same(world.calls, ['start', 'reload', 'drain', 'close']);
  t.equal(world.watched.size, 0);
});

t.test('issue 4: --watch without a conf file says what is missing', async (t) => {
  t.same(parseArguments(['--watch']), {
    kind: 'wrong',
    problems: ['--watch: there is no conf file to watch: add --config FILE'],
  });
});

t.test('issue 4: a drain that an operator asks for ends it like a signal', async (t) => {
  const world = new ScriptedWorld();
  world.leaving = Promise.resolve();
  t.equal(await runWith(world, '--origin', 'http://127.0.0.1:1'), 0);
  t.same(world.calls, ['start', 'drain', 'close']);
});

t.test(
  'section 7: what patina check calls a problem keeps it from starting, with its place and before anything begins',
  async (t) => {
    const own = makeDirectory(t);
    writeFileSync(join(own, 'letters.txt'), 'dear');
    const file = join(makeDirectory(t), 'p.yaml');
    writeFileSync(file, `origin: http://127.0.0.1:3000\ncache:\n  disk: {path: ${own}}\n`);
    const world = new ScriptedWorld();
    t.equal(await runWith(world, '--config', file), 2);
    t.match(world.complaints[0], `patina: ${file}:3:16: cache.disk.path: `);
    t.same(world.calls, []);

    const tokened = new ScriptedWorld();
    tokened.env['PATINA_ADMIN_TOKEN'] = 'short';
    t.equal(await runWith(tokened, '--origin', 'http://127.0.0.1:3000'), 2);
    t.match(tokened.complaints[0], /^patina: PATINA_ADMIN_TOKEN: expected/);
    t.same(tokened.calls, []);
  },
);

t.test('a signal while it starts gives the start up, and no line says that it is ready', async (t) => {
  const world = new ScriptedWorld();
  world.starting = new Promise(() => {});
  const ended = runWith(world, '--origin', 'http://127.0.0.1:3000');
  await turns();
  t.same(world.calls, ['start']);
  world.signal();
  t.equal(await ended, 0);
  t.same(world.said, []);
  t.same(world.calls.slice(0, 2), ['start', 'close']);
});
