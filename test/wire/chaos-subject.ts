/** The command as a child process that can be looked into: descriptors, memory after a collection, gauges, complaints. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HAS_FAST_LANE } from '../kit/lane.js';

/** Tells its memory after a collection, and what is still open, on stderr. */
const PROBE = `process.on('SIGUSR2', () => { gc(); gc(); const m = process.memoryUsage();
  process.stderr.write('PROBE ' + JSON.stringify({ heap: m.heapUsed, external: m.external, rss: m.rss,
  open: process.getActiveResourcesInfo().filter((kind) => kind !== 'Timeout' && kind !== 'Immediate').length }) + '\\n'); });`;

const CONF = `
log: {access: json, level: info}
cache: {memory: 64MB}
`;

/** Times after which it gives up: short, so that all of them are met. */
const IMPATIENT: Patience = {
  origin: '{connect: 1s, headers: 2s, idle: 2s}',
  limits: '{head_timeout: 2s, body_idle: 2s, reply_idle: 2s, keep_alive: 3s, wait: 5s, drain: 5s}',
};

/** The options of these names. */
export interface Patience {
  readonly origin: string;
  readonly limits: string;
}

export interface Probe {
  readonly heap: number;
  readonly external: number;
  readonly rss: number;
  readonly open: number;
}

export class Subject {
  readonly pid: number;
  readonly listen: number;
  readonly admin: number;
  readonly #child: ReturnType<typeof spawn>;
  #stderr = '';

  constructor(child: ReturnType<typeof spawn>, listen: number, admin: number) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.listen = listen;
    this.admin = admin;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    child.stdout?.on('data', () => {});
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** All that it wrote to stderr. */
  get complaints(): string {
    return this.#stderr.replace(/PROBE .*\n/g, '');
  }

  get rssBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  async gauges(): Promise<Map<string, number>> {
    const response = await fetch(`http://127.0.0.1:${this.admin}/metrics`, { headers: { connection: 'close' } });
    const text = await response.text();
    return new Map(
      text
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .map((line) => line.split(' '))
        .map(([name = '', value]) => [name, Number(value)]),
    );
  }

  async probe(): Promise<Probe> {
    this.#stderr = this.complaints;
    process.kill(this.pid, 'SIGUSR2');
    for (;;) {
      const found = /PROBE (.*)\n/.exec(this.#stderr)?.[1];
      if (found !== undefined) return JSON.parse(found) as Probe;
      await pause(20);
    }
  }

  async stop(): Promise<{ code: number | null; ms: number }> {
    const began = Date.now();
    const exited = once(this.#child, 'exit');
    process.kill(this.pid, 'SIGTERM');
    const [code] = (await exited) as [number | null];
    return { code, ms: Date.now() - began };
  }

  kill(): void {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
  }
}

export async function startSubject(
  folder: string,
  main: string,
  originPort: number,
  patience = IMPATIENT,
  hasFastLane = HAS_FAST_LANE,
): Promise<Subject> {
  const file = join(folder, 'patina.yaml');
  const origin = `origin: {url: "http://127.0.0.1:${originPort}", timeouts: ${patience.origin}}`;
  const lane = `fast_lane: ${hasFastLane ? 'on' : 'off'}`;
  writeFileSync(
    file,
    `listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n${lane}\n${origin}\nlimits: ${patience.limits}\n${CONF}`,
  );
  const probe = `data:text/javascript,${encodeURIComponent(PROBE)}`;
  const args = ['--expose-gc', '--trace-warnings', '--import', probe, main, 'run', '--config', file];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const ports = /ready on http:\/\/127\.0\.0\.1:(\d+), .* admin http:\/\/127\.0\.0\.1:(\d+)/.exec(line.toString());
  return new Subject(child, Number(ports?.[1]), Number(ports?.[2]));
}

/** What must be 0 when nobody asks for anything. */
export const QUIET_GAUGES: readonly string[] = [
  'patina_fills_in_flight',
  'patina_waiters',
  'patina_reserved_bytes',
  'patina_client_connections',
  'patina_origin_connections',
  'patina_origin_requests_running',
  'patina_origin_requests_queued',
];
