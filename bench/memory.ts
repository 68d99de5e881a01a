/**
 * What one stored response costs beside its bytes: RSS less bodies, field sections and keys, by the number of responses,
 * of the memory tier and of plainer things that hold the same: `node dist/bench/memory.js`.
 * Each is filled in a process of its own, through the functions that a fill goes through, as fast as it goes; nginx, where it is
 * installed, through requests, its files in memory.
 */
import { spawnSync } from 'node:child_process';
import { getHeapSnapshot } from 'node:v8';
import { LRUCache } from 'lru-cache';
import { systemClock } from '../lib/base/clock.js';
import { tuneCollector } from '../lib/base/collector.js';
import { readConfig } from '../lib/config/load.js';
import { makeRules } from '../lib/config/rules.js';
import { Inflow } from '../lib/engine/inflow.js';
import { madeResponse } from '../lib/engine/response.js';
import { Fields } from '../lib/http/fields.js';
import { SILENT } from '../lib/observe/events.js';
import { createMemoryStore } from '../lib/store/memory.js';
import { readFlags } from './kit/cli.js';
import { fillNginx } from './kit/nginx-store.js';
import { installedVersion } from './kit/proxies.js';
import { type Scope, withScope } from './kit/scope.js';
import { textTable } from './kit/table.js';

const KINDS = ['patina', 'map', 'lru'] as const;
type Kind = (typeof KINDS)[number];

const ABOUT: Readonly<Record<Kind, string>> = {
  patina: 'the memory tier',
  map: 'a Map of key to head (text) and body (Buffer)',
  lru: 'the same in lru-cache, with its size counted',
};
const NGINX = 'nginx';
const USAGE = `usage: node dist/bench/memory.js [options]
  --count N       responses in each (default 1000000)
  --bytes N       bytes of each body (default 1024)
  --of KIND       one alone: ${KINDS.join(', ')}, ${NGINX}`;
const flags = readFlags(USAGE, {
  count: { type: 'string', default: '1000000' },
  bytes: { type: 'string', default: '1024' },
  of: { type: 'string' },
  inside: { type: 'string' },
  objects: { type: 'boolean', default: false },
});
const count = Number(flags.count);
const bodyBytes = Number(flags.bytes);

/** As an origin sends it: each line a text of its own. */
const LINES = [
  // Of now: with one of the past they would be stale when they come, and leave at once.
  ['Date', new Date().toUTCString()],
  ['Content-Type', 'application/octet-stream'],
  ['Cache-Control', 'max-age=36000'],
  ['ETag', '"v1"'],
] as const;
const HEAD = LINES.map((line) => line.join(': ')).join('\r\n');
const HOST = '127.0.0.1:8080';
const NOBODY = { pause() {}, resume() {}, abandoned() {} };
/** Responses between two turns of the event loop. */
const PER_TURN = 50;

function keyOf(n: number): string {
  return `http://${HOST}/${bodyBytes}/36000/m${n}`;
}

/** Not a piece of anything. */
function received(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

function receivedBody(n: number): Buffer {
  const body = Buffer.allocUnsafeSlow(bodyBytes).fill('x');
  body.write(String(n));
  return body;
}

/** Puts one in. */
type Put = (n: number) => void;

function intoPatina(): Put {
  const clock = systemClock();
  const store = createMemoryStore({ budgetBytes: 64e9, clock, events: SILENT });
  const rules = makeRules(readConfig());
  return (n) => {
    const fields = new Fields(LINES.flatMap(([name, value]) => [received(name), received(value)]));
    const request = {
      method: 'GET',
      target: `/${bodyBytes}/36000/m${n}`,
      scheme: 'http',
      host: HOST,
      fields: Fields.empty,
      httpVersion: '1.1',
      remoteAddress: '127.0.0.1',
      hasBody: false,
      isUpgrade: false,
      startedAt: 0,
    } as const;
    const inflow = Inflow.keep(store, bodyBytes, NOBODY);
    if (inflow === undefined) throw new Error('there is no room');
    inflow.write(receivedBody(n));
    inflow.complete();
    const now = clock.now();
    const receipt = {
      status: 200,
      reasonPhrase: 'OK',
      fields,
      requestAt: now - Math.random(),
      responseAt: now,
      responseWall: clock.wall(),
      chance: Math.random(),
    };
    const key = received(keyOf(n));
    if (!store.put(madeResponse({ key, method: 'GET', request, rules }, receipt, fields, inflow.body, [])))
      throw new Error('it is not stored');
  };
}

interface Plain {
  readonly head: string;
  readonly body: Buffer;
}

function plain(n: number): Plain {
  return { head: received(HEAD), body: receivedBody(n) };
}

function intoMap(): Put {
  const map = new Map<string, Plain>();
  return (n) => map.set(received(keyOf(n)), plain(n));
}

function intoLru(): Put {
  const cache = new LRUCache<string, Plain>({ maxSize: 64e9, sizeCalculation: ({ body }) => body.length });
  return (n) => cache.set(received(keyOf(n)), plain(n));
}

const PUTS: Readonly<Record<Kind, () => Put>> = { patina: intoPatina, map: intoMap, lru: intoLru };

async function fill(put: Put, from: number, until: number, turned: () => void = () => {}): Promise<void> {
  for (let n = from; n < until; n++) {
    put(n);
    if (n % PER_TURN > 0) continue;
    await new Promise(setImmediate);
    turned();
  }
}

/** How many objects the heap has: the first thing that a snapshot of it says. */
async function objectCount(): Promise<number> {
  let text = '';
  for await (const chunk of getHeapSnapshot()) if (text.length < 4096) text += String(chunk);
  return Number(/"node_count":(\d+)/.exec(text)?.[1]);
}

/** Bytes of one response that are its own. */
function told(): number {
  return bodyBytes + HEAD.length + keyOf(count).length;
}

const WARM_UP = 1_000;
/** Responses over which objects are counted. */
const COUNTED = 20_000;

interface Found {
  readonly overheadBytes: number;
  readonly heapBytes: number;
  readonly cpuUs: number;
  /** The longest turn of the loop by the CPU time of all threads, with what collections and growing tables took of it: what others on the machine do says nothing of it. */
  readonly stopMs: number;
}

/** In a process of its own, since a look at a heap of a million takes longer than to fill it. */
async function countObjects(kind: Kind): Promise<number> {
  const put = PUTS[kind]();
  await fill(put, 0, WARM_UP);
  const before = await objectCount();
  await fill(put, WARM_UP, WARM_UP + COUNTED);
  return ((await objectCount()) - before) / COUNTED;
}

/** In the process of one kind. */
async function measure(kind: Kind): Promise<Found> {
  // As for the program itself.
  tuneCollector(1);
  const put = PUTS[kind]();
  await fill(put, 0, WARM_UP);
  global.gc?.();
  const before = process.memoryUsage();
  const cpu = process.cpuUsage();
  let stopUs = 0;
  let atTurn = cpu;
  await fill(put, WARM_UP, WARM_UP + count, () => {
    const now = process.cpuUsage();
    stopUs = Math.max(stopUs, now.user + now.system - atTurn.user - atTurn.system);
    atTurn = now;
  });
  const { user, system } = process.cpuUsage(cpu);
  const after = process.memoryUsage();
  const overheadBytes = (after.rss - before.rss) / count - told();
  if (overheadBytes < 0) throw new Error(`${kind} takes less than what was put into it: it does not hold all of that`);
  return {
    overheadBytes,
    heapBytes: (after.heapUsed - before.heapUsed) / count,
    cpuUs: (user + system) / count,
    stopMs: stopUs / 1000,
  };
}

function rowOf(kind: Kind): string[] {
  const own = ['--count', flags.count, '--bytes', flags.bytes, '--inside', kind];
  const args = ['--expose-gc', '--max-old-space-size=16384', process.argv[1] ?? '', ...own];
  const run = (more: readonly string[]): unknown => {
    const { stdout, stderr } = spawnSync(process.execPath, [...args, ...more], { encoding: 'utf8' });
    if (stdout === '') throw new Error(`${kind}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const { overheadBytes, heapBytes, cpuUs, stopMs } = run([]) as Found;
  const objects = run(['--objects']) as number;
  const numbers = [overheadBytes, heapBytes].map((value) => value.toFixed(0));
  return [kind, ...numbers, objects.toFixed(1), cpuUs.toFixed(1), stopMs.toFixed(0), ABOUT[kind]];
}

async function nginxRow(scope: Scope): Promise<string[]> {
  if (installedVersion('nginx') === undefined) return [NGINX, '', '', '', '', '', 'not measured: it is not installed'];
  const { bytesEach, processBytesEach, cpuUs } = await fillNginx(scope, count, bodyBytes);
  const processes = processBytesEach.toFixed(0);
  const about = `proxy_cache, files in memory: ${processes} bytes of its processes, the rest of its files; inodes not counted; CPU with the fetch`;
  return [NGINX, (bytesEach - told()).toFixed(0), '', '', cpuUs.toFixed(1), '', about];
}

async function compare(scope: Scope): Promise<number> {
  const isAsked = (kind: string): boolean => flags.of === undefined || flags.of === kind;
  const rows = KINDS.filter(isAsked).map(rowOf);
  if (isAsked(NGINX)) rows.push(await nginxRow(scope));
  console.log(`${count} responses of ${bodyBytes} bytes, field section and key beside; all figures for one response\n`);
  const head = ['in', 'bytes beside its own', 'heap', 'objects', 'CPU to put, µs', 'longest turn, ms of CPU', 'what'];
  console.log(textTable(head, rows));
  return 0;
}

if (flags.of !== undefined && ![...KINDS, NGINX].includes(flags.of)) {
  console.error(`--of ${flags.of}: it is one of ${[...KINDS, NGINX].join(', ')}\n\n${USAGE}`);
  process.exitCode = 2;
} else if (flags.inside === undefined) {
  await withScope(compare);
} else {
  const kind = KINDS.find((known) => known === flags.inside);
  if (kind !== undefined) console.log(JSON.stringify(await (flags.objects ? countObjects(kind) : measure(kind))));
}
