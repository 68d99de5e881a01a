// Goal: several workers over one disk tier keep each response once, and what is done to it is done for all. Method: the built command, one directory, a scripted origin, kill -9.
// A crew takes seconds to start: those on an empty disk share one, and so do those on a disk that a killed one has left.
import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { createBarrier } from '../kit/barrier.js';
import { makeDirectory } from '../kit/disk.js';
import { HOST, request } from '../kit/proxy-kit.js';
import { send, until as untilOpen } from '../kit/scripted-origin.js';
import { type Crew, startCrew, until } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=600', 'ETag', '"1"', 'Cache-Tag', 'all'];
const MB = 1024 * 1024;
const url = (path: string): string => `http://${HOST}${path}`;

interface Options {
  readonly workers?: number;
  readonly size?: string;
  readonly more?: string;
}

function confFor(path: string, { size = '64MB', more = '' }: Options): string {
  return `debug_header: CDN-Cache\ndefaults: {tags_from: Cache-Tag}\ncache: {disk: {path: ${path}, size: ${size}}}\n${more}`;
}

async function startOver(t: Test, path: string, options: Options = {}): Promise<Crew> {
  const { workers = 2 } = options;
  const crew = await startCrew(t, { workers, conf: confFor(path, options) });
  // On a busy machine each takes its time: whoever listens for signs of life hears one.
  t.comment(`${workers} workers serve`);
  crew.origin.respond((asked) =>
    asked.field('if-none-match') === undefined
      ? { fields: SHARED, body: `hello ${asked.target}` }
      : { status: 304, fields: SHARED },
  );
  return crew;
}

async function kill(crew: Crew): Promise<void> {
  const pids = [...(await crew.workers()).map(({ pid }) => pid), crew.child.pid ?? 0];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await crew.ended;
}

const MANY = 4;
const LEFT = ['/p/a', '/p/b', '/q', '/r', '/1', '/2', '/3'];
const place = makeDirectory(t);

/** A crew on what another one, killed as a whole, had on disk: of so many that most of them open it at once. */
async function startAgain(): Promise<Crew> {
  const before = await startOver(t, place, { workers: MANY });
  const client = await before.connect();
  for (const path of LEFT) await client.send(request('GET', path)).response();
  await onDisk(before, LEFT.length);
  await kill(before);
  return startOver(t, place, { workers: MANY });
}

/** Records that are on disk, once nothing waits to be written. */
async function onDisk(crew: Crew, records: number): Promise<void> {
  await until(async () => (await crew.metric('patina_disk_records')) === records);
}

const again = await startAgain();
const [one, other] = await again.eachWorker();
const empty = await startOver(t, makeDirectory(t), { workers: 3, size: '16MB', more: 'log: {access: off}' });

t.test('issue 5: the figures of the one disk are told once, not once for each worker', async (t) => {
  const client = await empty.connect();
  for (const path of ['/a', '/b', '/c']) await client.send(request('GET', path)).response();
  await onDisk(empty, 3);
  t.equal(await empty.metric('patina_disk_budget_bytes'), 16 * MB);
  t.equal(await empty.metric('patina_disk_state', 'state="writable"'), 1);
});

t.test('issue 5: the size of the disk is held by all workers together', async (t) => {
  const crew = empty;
  crew.origin.respond(() => ({ fields: SHARED, body: Buffer.alloc(100_000, 'x') }));
  const clients = await Promise.all(Array.from({ length: 6 }, () => crew.connect()));
  let at = 0;
  const visit = async (client: (typeof clients)[number]): Promise<void> => {
    while (at < 600) await client.send(request('GET', `/${at++}`)).response();
  };
  await Promise.all(clients.map(visit));
  await until(async () => (await crew.metric('patina_disk_pending_bytes')) === 0);
  t.ok(
    (await crew.metric('patina_disk_used_bytes')) <= 16 * MB,
    `${await crew.metric('patina_disk_used_bytes')} in use`,
  );
  await until(async () => (await crew.metric('patina_disk_records')) > 50);
  t.ok((await crew.metric('patina_disk_removed_total', 'reason="evicted"')) > 300);
  await kill(crew);
});

t.test('issue 5: a kill of all workers loses nothing that is on disk', async (t) => {
  t.equal(await again.metric('patina_disk_records'), LEFT.length);
  t.equal((await one.send(request('GET', '/1')).response()).field('cdn-cache'), 'HIT');
});

t.test(
  'issue 5: a start with many workers does not take their openings of the disk for starts that died',
  async (t) => {
    t.same(readdirSync(place), ['v2'], 'nothing was set aside');
    t.notMatch(again.out, /disk-damaged/);
  },
);

t.test('issue 5: of what several workers have on one disk each response is listed once', async (t) => {
  await one.send(request('GET', '/1')).response();
  await other.send(request('GET', '/2')).response();
  const listed: string[] = [];
  let next: string | undefined;
  do {
    const page = await again.json<{ objects: { key: string }[]; next?: string }>(
      `/v1/objects?limit=2${next === undefined ? '' : `&cursor=${encodeURIComponent(next)}`}`,
    );
    listed.push(...page.objects.map(({ key }) => key));
    next = page.next;
  } while (next !== undefined);
  t.same(listed.sort(), LEFT.map(url).sort());
});

t.test('issue 5: a purge of what is on disk holds for all workers', async (t) => {
  const crew = again;
  t.match(await crew.json('/v1/purge', 'POST', { url: url('/q') }), { fills: 0 });
  t.match(await crew.json('/v1/purge', 'POST', { prefix: url('/p/') }), { fills: 0 });
  await onDisk(crew, LEFT.length - 3);
  for (const client of [one, other]) {
    t.equal((await client.send(request('GET', '/r')).response()).field('cdn-cache'), 'HIT');
  }
  t.equal(crew.origin.requests.length, 0);
  t.match(await crew.json('/v1/expire', 'POST', { tag: 'all' }), { fills: 0 });
  t.match(await crew.json('/v1/purge', 'POST', { tag: 'all' }), { fills: 0 });
  await onDisk(crew, 0);
  for (const path of ['/p/a', '/q', '/r']) await (await crew.connect()).send(request('GET', path)).response();
  t.equal(crew.origin.requests.length, 3);
});

t.test(
  'issue 5: a worker that is killed in the middle of a body that only the disk may hold: its readers in another one get the rest',
  async (t) => {
    const crew = await startOver(t, makeDirectory(t));
    const barrier = createBarrier();
    const body = Buffer.alloc(6 * MB, 'abcdefg');
    const [halfBytes, readers] = [body.length / 2, 3];
    const fields = `ETag: "1"\r\nCache-Control: max-age=60\r\nContent-Length: ${body.length}\r\n`;
    crew.origin.script(send(`HTTP/1.1 200 OK\r\n${fields}\r\n`), send(body.subarray(0, halfBytes)), untilOpen(barrier));
    crew.origin.respond((asked) => {
      const from = Number(/bytes=(\d+)-/.exec(asked.field('range') ?? '')?.[1]);
      const range = `bytes ${from}-${body.length - 1}/${body.length}`;
      return { status: 206, fields: ['ETag', '"1"', 'Content-Range', range], body: body.subarray(from) };
    });
    const [one, other] = await crew.eachWorker();
    // Dealt out in turns: every second one to the worker that fills.
    const clients = await Promise.all(Array.from({ length: 2 * (readers - 1) }, () => crew.connect()));
    const first = await one.send(request('GET', '/large')).head();
    const second = await other.send(request('GET', '/large')).head();
    const more = await Promise.all(clients.map((client) => client.send(request('GET', '/large')).head()));
    await Promise.all([first, second, ...more].map((response) => response.received(halfBytes)));
    const broken = t.rejects(first.whole());
    const ends = Promise.allSettled([second, ...more].map((response) => response.whole()));
    process.kill(crew.first?.pid ?? 0, 'SIGKILL');
    const whole = (await ends).filter((end) => end.status === 'fulfilled');
    t.equal(whole.length, readers, 'those of the other worker never notice');
    for (const { value } of whole) t.ok(value.body.equals(body));
    await broken;
    t.equal(crew.origin.requests[1]?.field('if-range'), '"1"');
    barrier.open();
  },
);
