/**
 * `npm run torture -- --workers N [--rounds N] [--seed N]`: several workers over one disk, of which one is killed with
 * SIGKILL at a random moment under load, again and again, while the others go on. Looked for are wrong bytes, answers
 * older than what was on disk already, losses, refreshes that never end, leases that nobody frees, places left empty.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { program } from '../kit/program.js';
import { flawOf, TortureOrigin, TTL_MS } from './origin.js';
import { type Answer, ask, askClosely, type CutOff, ended, OPERATOR, TOKEN, told } from './torture.js';

const CLI = program();
const KEYS = 400;
const CLIENTS = 16;
/** A kill comes between these two after the load began. */
const KILL_MS = [150, 1_500] as const;
/** How often is asked whether all that was stored is on disk, and how it stands with the workers. */
const POLL_MS = 50;
/** Longest time for a worker to be replaced, a refresh to end, all leases to be free. */
const PATIENCE_MS = 30_000;
const LOOKS = 120;
const REFRESH_CHECKS = 4;
const COLUMNS = [
  'answered',
  'broken',
  'cut',
  'wrong',
  'older',
  'due',
  'later',
  'lost',
  'refreshed',
  'stuck',
  'unfreed',
] as const;

const FAULT = /"level":"(?:error|warn)"/;
const DEATH = /"code":"worker-died".*"pid":(\d+)/;

type Column = (typeof COLUMNS)[number];
type Row = Record<Column | 'replacedMs', number>;

interface WorkerFacts {
  readonly id: number;
  readonly pid: number;
  readonly state: string;
}

class WorkersTorture {
  readonly complaints: string[] = [];
  readonly #origin: TortureOrigin;
  readonly #workers: number;
  readonly #directory = mkdtempSync(join(tmpdir(), 'patina-torture-'));
  #child: ChildProcess | undefined;
  #port = 0;
  #adminPort = 0;
  #seed: number;
  #deaths = 0;
  /** Of these, the workers that are known to be gone. */
  #buried = 0;
  #killedAt = Number.NEGATIVE_INFINITY;
  readonly #victims = new Set<number>();
  /** Versions that were had, and those that were on disk after that: never is an older one the answer again. */
  readonly #stored = new Map<string, number>();
  readonly #onDisk = new Map<string, number>();

  constructor(origin: TortureOrigin, workers: number, seed: number) {
    this.#origin = origin;
    this.#workers = workers;
    this.#seed = seed;
  }

  /** From 0 to below 1. */
  #chance(): number {
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  async start(): Promise<void> {
    const settings = [
      `workers=${this.#workers}`,
      `cache.disk.path=${this.#directory}/var`,
      'cache.disk.size=2GB',
      'cache.memory=64MB',
      'log.access=off',
      'debug_header=CDN-Cache',
    ];
    const args = [CLI, '--origin', this.#origin.url, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    const child = spawn(process.execPath, [...args, ...settings.flatMap((one) => ['--set', one])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATINA_ADMIN_TOKEN: TOKEN },
    });
    this.#child = child;
    child.stderr.on('data', (bytes: Buffer) => this.complaints.push(`stderr: ${bytes.toString().trim()}`));
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString();
        if (this.#adminPort !== 0) {
          const lines = said.split('\n');
          said = lines.pop() ?? '';
          this.complaints.push(...lines.filter((line) => this.#isFault(line)));
          return;
        }
        const ready = / ready on http:\S+?:(\d+), .*admin http:\S+?:(\d+)/.exec(said);
        if (ready === null) return;
        [this.#port, this.#adminPort] = [Number(ready[1]), Number(ready[2])];
        resolve();
      });
      child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${said}`)));
    });
  }

  /** What the log should not say: but for those that are killed here. */
  #isFault(line: string): boolean {
    return FAULT.test(line) && !this.#victims.has(Number(DEATH.exec(line)?.[1]));
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) {
      await ended(child, this.complaints);
      for (const complaint of this.complaints.splice(0)) process.stdout.write(`  ${complaint}\n`);
    }
    // A process that looks whether the file survived the kill goes last, and may outlive who has begun it.
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  }

  /** Loads, kills one, goes on until another has its place, and looks. */
  async round(): Promise<Row> {
    const row = Object.fromEntries([...COLUMNS, 'replacedMs'].map((name) => [name, 0])) as Row;
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS + 2 });
    let isOver = false;
    const goesOn = (): boolean => !isOver;
    const load = Promise.all([
      ...Array.from({ length: CLIENTS }, () => this.#client(agent, row, goesOn)),
      this.#poll(agent, goesOn),
    ]);
    const [least, most] = KILL_MS;
    await pause(least + this.#chance() * (most - least));
    await this.#kill(agent, row);
    isOver = true;
    await load;
    await this.#look(agent, row);
    await this.#refresh(agent, row);
    const isFree = await this.#until(async () => (await this.#metric('patina_worker_leases')) === 0);
    const isUnawaited = await this.#until(async () => (await this.#metric('patina_worker_lease_waits')) === 0);
    if (!isFree || !isUnawaited) {
      row.unfreed++;
      this.complaints.push('leases are held, or waited for, that nobody will free');
    }
    agent.destroy();
    return row;
  }

  async #client(agent: Agent, row: Row, goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const key = `/k${Math.floor(this.#chance() ** 2 * KEYS)}`;
      if (this.#chance() < 0.02) this.#origin.change(key);
      const least = this.#onDisk.get(key) ?? 0;
      const askedAt = performance.now();
      const deaths = this.#buried;
      const answer = await askClosely(this.#port, key, agent, {});
      if ('how' in answer) {
        row.broken++;
        // Nobody died all the while: who served it lives.
        if (deaths === this.#deaths && !this.#isOfDead(answer)) await this.#cutOff(key, answer, agent, row);
      } else {
        row.answered++;
        this.#judge(key, answer, least, row);
        this.#count(key, answer, askedAt);
      }
    }
  }

  /** Whether nothing came on a connection that may be one of who died before: its end is on its way. */
  #isOfDead({ begun, connectedAt }: CutOff): boolean {
    return begun === undefined && connectedAt < this.#killedAt;
  }

  async #cutOff(key: string, how: CutOff, agent: Agent, row: Row): Promise<void> {
    row.cut++;
    const sinceMs = Math.round(performance.now() - this.#killedAt);
    this.complaints.push(`${key}: ${told(how)}, ${sinceMs} ms after the last kill; ${await this.#whereIs(key, agent)}`);
  }

  /** Of an answer to what was asked for when version `least` of it was on disk. */
  #judge(key: string, answer: Answer, least: number, row: Row): void {
    const flaw = answer.status === 200 ? flawOf(key, answer.body) : `${key}: status ${answer.status}`;
    if (flaw !== undefined) {
      row.wrong++;
      this.complaints.push(flaw);
      return;
    }
    const version = versionIn(answer.body);
    if (version < least) {
      row.older++;
      this.complaints.push(`${key}: version ${version}, though ${least} was on disk (${answer.word})`);
    }
  }

  /**
   * Of what the dead worker had not written, answers may still be on their way to us, and copies be in the memory of others. What a
   * living one has stored was asked for after the death and is a miss, or it is fresh still when that is a ttl ago.
   */
  #count(key: string, answer: Answer, askedAt: number): void {
    const isMade = answer.word === 'MISS' && askedAt > this.#killedAt;
    const isValidated = answer.word === 'HIT' && askedAt > this.#killedAt + TTL_MS;
    if (answer.status !== 200 || !(isMade || isValidated)) return;
    this.#stored.set(key, Math.max(versionIn(answer.body), this.#stored.get(key) ?? 0));
  }

  /** A purge is answered when it is on disk in every worker, and all that was stored before it. */
  async #poll(agent: Agent, goesOn: () => boolean): Promise<void> {
    const nothing = JSON.stringify({ url: 'http://none.example/' });
    while (goesOn()) {
      const [before, deaths] = [[...this.#stored], this.#deaths];
      const first = await ask(this.#adminPort, '/v1/purge', agent, OPERATOR, nothing);
      // By a second one all have heard what was told while they answered the first.
      const answer = first && (await ask(this.#adminPort, '/v1/purge', agent, OPERATOR, nothing));
      // What a worker had in hand that died meanwhile may be lost with it.
      if (answer?.status === 200 && deaths === this.#deaths) {
        for (const [key, version] of before) this.#onDisk.set(key, Math.max(version, this.#onDisk.get(key) ?? 0));
      }
      await pause(POLL_MS);
    }
  }

  async #kill(agent: Agent, row: Row): Promise<void> {
    // Not the youngest: places whose workers die young are filled ever later.
    const workers = (await this.#facts(agent)).filter(({ state }) => state === 'serving').sort((a, b) => a.id - b.id);
    if (workers.length > 1) workers.pop();
    const victim = workers[Math.floor(this.#chance() * workers.length)];
    if (victim === undefined) throw new Error('no worker serves');
    this.#deaths++;
    this.#killedAt = performance.now();
    // What was stored and is not known to be on disk may have been in its hands alone.
    this.#stored.clear();
    const at = performance.now();
    this.#victims.add(victim.pid);
    process.kill(victim.pid, 'SIGKILL');
    const isReplaced = await this.#until(async () => {
      const facts = await this.#facts(agent);
      if (facts.length === 0 || facts.some(({ pid }) => pid === victim.pid)) return false;
      this.#buried = this.#deaths;
      return facts.filter(({ state }) => state === 'serving').length === this.#workers;
    });
    row.replacedMs = performance.now() - at;
    if (isReplaced) return;
    row.stuck++;
    this.complaints.push(`worker ${victim.pid} was not replaced`);
  }

  async #facts(agent: Agent): Promise<readonly WorkerFacts[]> {
    const answer = await ask(this.#adminPort, '/healthz', agent, OPERATOR);
    if (answer === undefined) return [];
    return (JSON.parse(answer.body.toString()) as { readonly workers: readonly WorkerFacts[] }).workers;
  }

  async #metric(name: string): Promise<number> {
    const answer = await ask(this.#adminPort, '/metrics', new Agent(), OPERATOR);
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(answer?.body.toString() ?? '')?.[1] ?? Number.NaN);
  }

  async #until(holds: () => Promise<boolean>, until = performance.now() + PATIENCE_MS): Promise<boolean> {
    while (performance.now() < until) {
      if (await holds()) return true;
      await pause(POLL_MS);
    }
    return false;
  }

  /** Asks for some of what has to be there, and for nothing else. */
  async #look(agent: Agent, row: Row): Promise<void> {
    const due = [...this.#onDisk.keys()];
    // For all of them together: where a write failed a great many are lost, and a round has to end.
    const until = performance.now() + PATIENCE_MS;
    for (let look = 0; look < LOOKS && due.length > 0; look++) {
      const [key = ''] = due.splice(Math.floor(this.#chance() * due.length), 1);
      row.due++;
      let first = await askClosely(this.#port, key, agent, { 'Cache-Control': 'only-if-cached' });
      if ('how' in first && this.#isOfDead(first)) {
        first = await askClosely(this.#port, key, agent, { 'Cache-Control': 'only-if-cached' });
      }
      if ('how' in first) {
        await this.#cutOff(key, first, agent, row);
        continue;
      }
      let answer: Answer | undefined = first;
      if (answer.status === 504) {
        // Another worker may have a newer one that it has not written yet: then the older one on disk is nobody's answer.
        row.later++;
        await this.#until(async () => {
          answer = await ask(this.#port, key, agent, { 'Cache-Control': 'only-if-cached' });
          return answer?.status === 200;
        }, until);
      }
      if (answer === undefined || answer.status === 504) {
        row.lost++;
        this.#onDisk.delete(key);
        this.complaints.push(`${key}: lost (${answer?.status ?? 'cut off'}); ${await this.#whereIs(key, agent)}`);
      } else this.#judge(key, answer, this.#onDisk.get(key) ?? 0, row);
    }
  }

  /** What an operator is told of a key that is lost. */
  async #whereIs(key: string, agent: Agent): Promise<string> {
    const url = encodeURIComponent(`http://torture.example${key}`);
    const answer = await ask(this.#adminPort, `/v1/objects?url=${url}`, agent, OPERATOR);
    const metrics = await ask(this.#adminPort, '/metrics', agent, OPERATOR);
    const lines = metrics?.body
      .toString()
      .match(/^patina_disk_(?:skipped|write_failures|state|pending|unreadable).* [1-9]\d*$/gm);
    return `${answer?.body.toString().slice(0, 300)}; ${lines?.join(', ')}`;
  }

  /** Whether a few of them become fresh again. */
  async #refresh(agent: Agent, row: Row): Promise<void> {
    const due = [...this.#onDisk.keys()];
    for (let check = 0; check < Math.min(REFRESH_CHECKS, due.length); check++) {
      const key = due[Math.floor(this.#chance() * due.length)] ?? '/k1';
      const isFresh = await this.#until(async () => {
        const answer = await ask(this.#port, key, agent, {});
        return answer?.word === 'HIT' || answer?.word === 'MISS';
      });
      row[isFresh ? 'refreshed' : 'stuck']++;
      if (!isFresh) this.complaints.push(`${key}: stuck in refreshing`);
    }
  }
}

/** Of a sound body. */
function versionIn(body: Buffer): number {
  return Number(body.subarray(0, body.indexOf('\n')).toString('latin1').split(' ')[1]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function line(name: string, row: Row): string {
  const cells = COLUMNS.map((column) => String(row[column]).padStart(column.length));
  return [name.padStart(5), String(Math.round(row.replacedMs)).padStart(11), ...cells].join('  ');
}

/** Returns whether nothing was wrong. */
export async function tortureWorkers(workers: number, rounds: number, seed: number): Promise<boolean> {
  const origin = await TortureOrigin.start();
  const torture = new WorkersTorture(origin, workers, seed);
  const rows: Row[] = [];
  process.stdout.write(`torture: ${rounds} kills of one of ${workers} workers, seed ${seed}\n`);
  process.stdout.write(`round  replaced ms  ${COLUMNS.join('  ')}\n`);
  try {
    await torture.start();
    for (let round = 1; round <= rounds; round++) {
      const row = await torture.round();
      rows.push(row);
      if (round % 10 === 0 || isBad(row)) process.stdout.write(`${line(String(round), row)}\n`);
      for (const complaint of torture.complaints.splice(0).slice(0, 20)) process.stdout.write(`  ${complaint}\n`);
    }
  } finally {
    await torture.end();
    await origin.close();
  }
  const total = Object.fromEntries(
    COLUMNS.map((column) => [column, rows.reduce((sum, row) => sum + row[column], 0)]),
  ) as Row;
  const times = rows.map(({ replacedMs }) => replacedMs).sort((a, b) => a - b);
  total.replacedMs = times[times.length >> 1] ?? 0;
  process.stdout.write(`${line('all', total)}\n`);
  process.stdout.write(isBad(total) ? 'BAD\n' : 'good: nothing cut off, wrong, older, lost, stuck or held\n');
  return !isBad(total);
}

function isBad({ cut, wrong, older, lost, stuck, unfreed }: Row): boolean {
  return cut + wrong + older + lost + stuck + unfreed > 0;
}
