/** The scripted origin of the scenarios, as they see it. */
import { LOAD_CORE } from './machine.js';
import { kitModule } from './root.js';
import { freePort, type Running, type Scope, untilOpen } from './scope.js';

export interface Behaviour {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  /** Before the head. */
  readonly delayMs: number;
  /** Over which the body is spread. */
  readonly trickleMs: number;
  /** Accepts, and never answers. */
  readonly hangs: boolean;
}

/** One request that reached it. */
export interface Asked {
  readonly atMs: number;
  /** What it was answered; 0 where it was left without. */
  readonly status: number;
  readonly isConditional: boolean;
}

export type OriginMessage = { readonly kind: 'take' } | { readonly kind: 'behave'; readonly behaviour: Behaviour };

const PLAIN: Behaviour = { status: 200, fields: {}, bodyBytes: 1024, delayMs: 0, trickleMs: 0, hangs: false };

export class BenchOrigin {
  readonly port: number;
  readonly #running: Running;

  constructor(port: number, running: Running) {
    this.port = port;
    this.#running = running;
  }

  /** From now on; what is not named is plain: 200, 1 KB, at once. */
  async behave(behaviour: Partial<Behaviour>): Promise<void> {
    await this.#running.ask<true>({ kind: 'behave', behaviour: { ...PLAIN, ...behaviour } } satisfies OriginMessage);
  }

  /** What reached it since this was called last. */
  async take(): Promise<readonly Asked[]> {
    const { asked } = await this.#running.ask<{ asked: Asked[] }>({ kind: 'take' } satisfies OriginMessage);
    return asked;
  }
}

export async function startOrigin(scope: Scope, behaviour: Partial<Behaviour>): Promise<BenchOrigin> {
  const port = await freePort();
  const running = scope.fork('origin', kitModule('origin-main.js'), [String(port)], LOAD_CORE);
  await untilOpen(running, port);
  const origin = new BenchOrigin(port, running);
  await origin.behave(behaviour);
  return origin;
}
