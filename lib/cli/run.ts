/** `patina run`: from arguments to a running proxy, to the end of it. The world outside comes in as an argument. */
import { resolve } from 'node:path';
import type { Clock, Timer } from '../base/clock.js';
import { CONFIG_SETTLE_MS } from '../base/config-limits.js';
import { ConfigError } from '../base/errors.js';
import { type Address, listenProblem } from '../config/address.js';
import { loadWritten } from '../config/load.js';
import type { Override } from '../config/overrides.js';
import { type Config, type ConfigSettings, hasOrigin, withOrigin } from '../config/schema.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import { type DemoOrigin, startDemoOrigin } from '../demo/origin.js';
import type { Source } from '../proxy.js';
import { WorkersFailedError } from '../workers/supervisor.js';
import { complainOf } from './check.js';
import { obstaclesOf } from './obstacles.js';

/** A proxy as this command drives it. */
export interface RunningProxy {
  /** Puts the configuration in force that is read now; the log says how that went. */
  reload(): Promise<unknown>;
  /** Rejects where it is closed meanwhile. */
  start(): Promise<{ readonly listen: string; readonly admin: string | undefined }>;
  /** Resolves when an operator asks over the admin listener that it ends; rejects where it cannot go on. */
  readonly leaving: Promise<void>;
  /** Stops accepting and lets running requests finish, within the limit of the configuration. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

export interface World {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly version: string;
  createProxy(source: Source, read: () => Source): RunningProxy;
  /** One line on stdout. */
  say(line: string): void;
  /** One line on stderr. */
  complain(line: string): void;
  /** Calls `run` at each SIGTERM and SIGINT until the returned function is called. */
  onStopSignal(run: () => void): () => void;
  /** Calls `run` at each SIGHUP until the returned function is called. */
  onReloadSignal(run: () => void): () => void;
  /** Calls `changed` each time that a file is another than before, until the returned function is called. */
  watchFile(file: string, changed: () => void): () => void;
}

export interface RunRequest {
  readonly file: string | undefined;
  readonly overrides: readonly Override[];
  /** Reload when the conf file changes. */
  readonly isWatching: boolean;
}

/** Runs until a signal ends it. Resolves to the exit code. */
export async function run(request: RunRequest, world: World): Promise<number> {
  const { file, overrides } = request;
  let demo: DemoOrigin | undefined;
  const stop = stopSwitch(world);
  try {
    const loaded = loadWritten({ file, overrides });
    const obstacles = obstaclesOf(loaded, world.env[TOKEN_VARIABLE]);
    if (obstacles.length > 0) throw new ConfigError(obstacles);
    if (!hasOrigin(loaded.settings)) demo = await startDemoOrigin({ clock: world.clock });
    const read = ({ settings, written } = loadWritten({ file, overrides })): Source => ({
      config: hasOrigin(settings) ? settings : forDemo(settings, demo),
      written,
      file: file === undefined ? undefined : resolve(file),
    });
    await serve(read(loaded), read, request, demo, stop, world);
    return 0;
  } catch (error) {
    if (error instanceof WorkersFailedError) {
      world.complain(`patina: ${error.message}`);
      return 1;
    }
    const problems = problemsOf(error);
    if (problems === undefined) throw error;
    complainOf(problems, file, (line) => world.complain(line.startsWith('  ') ? line : `patina: ${line}`));
    return 2;
  } finally {
    stop.release();
    await demo?.close();
  }
}

interface StopSwitch {
  /** Resolves at the first signal. */
  readonly first: Promise<void>;
  /** Resolves at the second one. */
  readonly second: Promise<void>;
  release(): void;
}

/** Listens from the beginning, so that a signal while starting is not lost. */
function stopSwitch(world: World): StopSwitch {
  const waiting: (() => void)[] = [];
  const first = new Promise<void>((resolve) => waiting.push(resolve));
  const second = new Promise<void>((resolve) => waiting.push(resolve));
  const release = world.onStopSignal(() => waiting.shift()?.());
  return { first, second, release };
}

async function serve(
  source: Source,
  read: () => Source,
  { file, isWatching }: RunRequest,
  demo: DemoOrigin | undefined,
  stop: StopSwitch,
  world: World,
): Promise<void> {
  const { config } = source;
  const proxy = world.createProxy(source, () => read());
  // From the beginning, so that no SIGHUP ends the process.
  const reload = (): void => void proxy.reload();
  const deaf = world.onReloadSignal(reload);
  const blind = isWatching && file !== undefined ? watch(file, reload, world) : () => {};
  try {
    const starting = started(proxy, config);
    const addresses = await Promise.race([starting, stop.first]);
    if (addresses === undefined) {
      await proxy.close();
      // However it ended, nobody waits for it any more.
      await starting.catch(() => {});
      return;
    }
    const admin = addresses.admin === undefined ? 'admin off' : `admin ${asUrl(addresses.admin)}`;
    const origin = `origin ${config.origin.url.origin}${demo === undefined ? '' : ' (demo)'}`;
    world.say(`patina ${world.version} ready on ${asUrl(addresses.listen)}, ${origin}, ${admin}`);
    if (demo !== undefined) for (const line of demoHints(asUrl(addresses.listen))) world.say(line);
    await Promise.race([stop.first, proxy.leaving]);
    await Promise.race([proxy.drain(), stop.second]);
  } finally {
    deaf();
    blind();
    await proxy.close();
  }
}

/** Editors write a file in several steps: it is read once it has stayed as it is for a moment. */
function watch(file: string, reload: () => void, world: World): () => void {
  let settling: Timer | undefined;
  const stop = world.watchFile(file, () => {
    settling?.cancel();
    settling = world.clock.after(CONFIG_SETTLE_MS, reload);
  });
  return () => {
    settling?.cancel();
    stop();
  };
}

async function started(proxy: RunningProxy, config: Config): Promise<{ listen: string; admin: string | undefined }> {
  try {
    return await proxy.start();
  } catch (error) {
    const problem = startProblem(error, config);
    throw problem === undefined ? error : new ConfigError([problem]);
  }
}

/** The sentence for an address that cannot be listened on; undefined where the error is another one. */
function startProblem(error: unknown, { listen, admin }: Config): string | undefined {
  const { port, hostname } = error as { port?: number; hostname?: string };
  const isAt = (address: Address | undefined) =>
    address?.port === port || (hostname !== undefined && address?.host === hostname);
  const isAdmin = admin.listen !== undefined && isAt(admin.listen) && !isAt(listen);
  const problem = listenProblem(error, isAdmin ? admin.listen : listen);
  const flag = isAdmin ? '--admin HOST:PORT (or off)' : '--listen HOST:PORT';
  return problem === undefined ? undefined : `${problem}. Choose another address with ${flag}`;
}

/** What an operator can mend: the exit code for it is 2. Undefined for a fault of this program. */
function problemsOf(error: unknown): readonly string[] | undefined {
  return error instanceof ConfigError ? error.problems : undefined;
}

function forDemo(settings: ConfigSettings, demo: DemoOrigin | undefined): Config {
  if (demo === undefined) throw new ConfigError(['no origin is configured']);
  // Whoever looks at the demo wants to read along, whether or not a terminal is there.
  const access = settings.log.access === 'auto' ? 'pretty' : settings.log.access;
  return withOrigin({ ...settings, log: { ...settings.log, access } }, demo.url);
}

function asUrl(address: string): string {
  return address.includes('://') ? address : `http://${address}`;
}

/** What to try with the demo origin, and what will be seen. */
function demoHints(url: string): string[] {
  return [
    '',
    'No origin is configured, so this is a demo: a slow CMS that takes 300 ms for a page and 5 ms to say "not modified".',
    'Try these from another terminal, again and again, and watch the lines below:',
    '',
    `  curl -i ${url}/article/1        MISS, then HIT; after 5 s STALE at once, refreshed by a 304`,
    `  curl -i ${url}/latest           no-cache: REVALIDATED by a 304 at every use`,
    `  curl -i ${url}/flaky            fails 20 s of every 40 s: STALE while it does`,
    `  curl -i ${url}/account          private: never shared`,
    `  curl -so /dev/null ${url}/photo.png   a large image: its refreshes move no body`,
    `  curl -i -X POST ${url}/article/1      an edit: passes through, and the stored page is dropped`,
    '',
    'In front of your own: npm start -- --origin http://127.0.0.1:3000',
    '',
  ];
}
