/** Everything that one scenario compares, started in front of one origin. */
import { SERVER_CORE } from './machine.js';
import { descendants, type ProxyName, type ProxySettings, type Proxy as Started, startProxy } from './proxies.js';
import { kitModule } from './root.js';
import { freePort, type Running, Scope, untilOpen } from './scope.js';
import { type SwiftOrigin, startSwiftOrigin } from './swift.js';

export interface Contestant {
  /** A proxy, or what it is compared with. */
  readonly name: string;
  readonly port: number;
  /** The processes that do the work now: nginx opens its port before it starts the worker that answers there. */
  readonly pids: readonly number[];
  readonly running: Running;
}

/** One that is left out of a comparison, and why: said in the output, so that it is not taken for a result. */
export interface LeftOut {
  readonly subject: string;
  readonly why: string;
}

export interface Fleet {
  readonly origin: SwiftOrigin;
  /** The judged one is the first. */
  readonly contestants: readonly Contestant[];
  readonly leftOut: readonly LeftOut[];
}

export type FleetSettings = Omit<ProxySettings, 'originPort'>;

export const PLAIN_SETTINGS: FleetSettings = { ttlSec: 'origin', graceSec: 0, memoryMB: 512 };

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n').slice(0, 3).join(' / ');
}

export async function startContestant(
  scope: Scope,
  name: ProxyName,
  settings: ProxySettings,
  label: string = name,
): Promise<Contestant> {
  return contestantOf(await startProxy(scope, name, settings), label);
}

export function contestantOf(
  { port, running, workers }: Pick<Started, 'port' | 'running' | 'workers'>,
  name: string,
): Contestant {
  return {
    name,
    port,
    running,
    get pids() {
      return workers();
    },
  };
}

/** A node:http server that answers from one Map: the measure for what node itself costs. */
export async function startBare(scope: Scope, path: string, bytes: number): Promise<Contestant> {
  const port = await freePort();
  const args = [kitModule('bare-main.js'), String(port), path, String(bytes)];
  const running = scope.start({ name: 'bare node:http', command: process.execPath, args, core: SERVER_CORE });
  await untilOpen(running, port);
  return contestantOf({ port, running, workers: () => descendants(running.pid) }, 'bare node:http');
}

export async function startFleet(
  scope: Scope,
  subjects: readonly ProxyName[],
  settings: FleetSettings,
): Promise<Fleet> {
  const origin = await startSwiftOrigin(scope);
  const full = { ...settings, originPort: origin.port };
  const started = await Promise.allSettled(subjects.map((name) => startContestant(scope, name, full)));
  const contestants: Contestant[] = [];
  const leftOut: LeftOut[] = [];
  for (const [i, result] of started.entries()) {
    if (result.status === 'fulfilled') contestants.push(result.value);
    else if (i === 0) throw result.reason;
    else leftOut.push({ subject: subjects[i] ?? '', why: `it does not start: ${firstLine(result.reason)}` });
  }
  return { origin, contestants, leftOut };
}

/** Fleets for scenarios: each its own, or, to be quick, one for all that want plain settings. */
export class Fleets {
  readonly #isShared: boolean;
  readonly #scope = new Scope();
  #shared: Promise<Fleet> | undefined;

  constructor(isShared: boolean) {
    this.#isShared = isShared;
  }

  take(scope: Scope, subjects: readonly ProxyName[], settings: FleetSettings): Promise<Fleet> {
    if (!this.#isShared || settings !== PLAIN_SETTINGS) return startFleet(scope, subjects, settings);
    this.#shared ??= startFleet(this.#scope, subjects, settings);
    return this.#shared;
  }

  close(): Promise<void> {
    return this.#scope.close();
  }
}
