// Goal: warming keeps its schedule, backs off from trouble, follows a reload, and tells a person how it goes. Method: a played origin of sitemaps and a store that is a map.
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import { WARM_RETRY_FIRST_MS } from '../../lib/base/warm-limits.js';
import { type NoticeLevel, SILENT } from '../../lib/observe/events.js';
import type { WarmEvent } from '../../lib/observe/warm.js';
import type { WarmEnd, Warmer, WarmSettings } from '../../lib/warm/contract.js';
import { Warming } from '../../lib/warm/warming.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { MAP, PlayedSource, type Served, SITE, urlset } from './sitemaps.kit.js';

const SETTINGS: WarmSettings = {
  sitemaps: [MAP],
  hosts: new Set(['a.example']),
  scheme: 'listed',
  everyMs: 60_000,
  jitter: 0,
  rate: 1_000_000,
  concurrency: 1,
  vanished: 'expire',
  maxUrls: 1000,
  hasDisk: false,
  fields: [],
};

interface Notice {
  readonly level: NoticeLevel;
  readonly code: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

class House {
  readonly clock = new FakeClock();
  readonly source = new PlayedSource();
  readonly stored = new Set<string>();
  readonly expired: string[] = [];
  readonly asked: string[] = [];
  readonly notices: Notice[] = [];
  readonly events: WarmEvent[] = [];
  readonly screen: string[] = [];
  readonly warming: Warming;
  answer: (path: string) => WarmEnd | Promise<WarmEnd> = () => 'filled';

  constructor(columns?: number) {
    const write = (text: string): void => void this.screen.push(text);
    this.warming = new Warming({
      clock: this.clock,
      events: {
        ...SILENT,
        notice: (level, code, message, fields = {}) => void this.notices.push({ level, code, message, fields }),
        warmed: (event) => void this.events.push(event),
      },
      random: () => 0.5,
      source: this.source,
      makeWarmer: () => this.#warmer(),
      terminal: columns === undefined ? undefined : { write, columns },
    });
  }

  #warmer(): Warmer {
    const ask = async (url: string): Promise<WarmEnd> => {
      const path = url.replace(SITE, '');
      this.asked.push(path);
      const end = await this.answer(path);
      if (end === 'filled') this.stored.add(url);
      return end;
    };
    return {
      hasRoom: true,
      look: (url) => (this.stored.has(url) ? { kind: 'stored', askedAt: this.clock.wall() } : { kind: 'absent' }),
      fill: ask,
      refresh: ask,
      withdraw: () => {},
      expire: async (url) => {
        this.expired.push(url.replace(SITE, ''));
        return 1;
      },
    };
  }

  serve(document: Parameters<PlayedSource['documents']['set']>[1]): void {
    this.source.documents.set(MAP, document);
  }

  /** Time passes, a step at a time, and everything that it sets off happens. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      this.clock.advance(Math.min(250, ms - passed));
      await turns(8);
    }
  }

  codes(): string[] {
    return this.notices.map(({ code }) => code);
  }

  rounds(): string[] {
    return this.events.flatMap((event) => (event.kind === 'round' ? [event.outcome] : []));
  }

  /** Instants, in seconds from now, at which the sitemap is asked for. */
  async readingsWithin(seconds: number): Promise<number[]> {
    const at: number[] = [];
    let before = this.source.asked.length;
    for (let second = 1; second <= seconds; second++) {
      await this.pass(1000);
      if (this.source.asked.length > before) at.push(second);
      before = this.source.asked.length;
    }
    return at;
  }
}

async function open(document: Served, settings: Partial<WarmSettings> = {}, columns?: number): Promise<House> {
  const house = new House(columns);
  house.serve(document);
  house.warming.configure({ ...SETTINGS, ...settings });
  await turns(8);
  await house.pass(250);
  return house;
}

t.test('issue 4: the sitemap is read at the start and then on a schedule', async (t) => {
  const house = await open({ body: urlset('/a') });
  t.same([house.asked, house.rounds()], [['/a'], ['complete']]);
  t.same(await house.readingsWithin(130), [60, 120]);
  t.same(house.rounds(), ['complete', 'complete', 'complete']);
});

t.test(
  'issue 4: after an error the next reading comes sooner, with growing pauses, and by the schedule at the latest',
  async (t) => {
    const house = await open({ status: 503 });
    t.same(house.rounds(), ['failed']);
    t.same(await house.readingsWithin(150), [5, 15, 35, 75, 135]);
    t.equal(house.codes().filter((code) => code === 'warm-refused').length, 1, 'one line, when it begins');
    house.serve({ body: urlset('/a') });
    t.same(await house.readingsWithin(130), [45, 105]);
    t.equal(house.rounds().at(-1), 'complete');
    house.serve({ status: 503 });
    await house.pass(60_000);
    t.equal(house.codes().filter((code) => code === 'warm-refused').length, 2, 'and again when it comes back');
    t.ok(WARM_RETRY_FIRST_MS === 5_000);
  },
);

t.test('what does not pass is not asked about sooner', async (t) => {
  const house = await open({ status: 404 });
  t.same(await house.readingsWithin(130), [60, 120]);
});

t.test(
  'RFC 9110 §10.2.3: Retry-After of the origin is waited for, where it lies before the next reading',
  async (t) => {
    const house = await open({ status: 503, fields: { 'retry-after': '30' } });
    t.same(await house.readingsWithin(35), [30]);
  },
);

t.test('issue 4: an origin that fails on pages is asked again sooner, and not for ever in a row', async (t) => {
  const house = new House();
  house.answer = () => 'failed';
  house.serve({ body: urlset(...Array.from({ length: 30 }, (_, at) => `/${at}`)) });
  house.warming.configure(SETTINGS);
  await house.pass(1000);
  t.same([house.asked.length, house.rounds()], [10, ['partial']]);
  t.same(await house.readingsWithin(60), [5, 15, 35]);
});

t.test(
  'issue 4: an edit does not wait for what is still to be filled: the next reading takes the rest over',
  async (t) => {
    const house = new House();
    const urls = Array.from({ length: 40 }, (_, at) => `/${at}`);
    house.serve({ body: urlset(...urls) });
    house.warming.configure({ ...SETTINGS, rate: 0.1 });
    await house.pass(59_000);
    t.equal(house.asked.length, 6);
    house.stored.add(`${SITE}/edited`);
    house.serve({ body: urlset(...urls, ['/edited', '2026-01-01T00:30:00Z']) });
    await house.pass(12_000);
    t.equal(house.asked.at(-1), '/edited', 'before the other 34');
    t.same(house.rounds(), ['superseded']);
    t.equal(new Set(house.asked).size, house.asked.length, 'nothing is asked for twice');
  },
);

t.test('issue 4: a reload changes it live, and what another configuration leaves out did not vanish', async (t) => {
  const house = await open({ body: urlset('/a') });
  const other = `${SITE}/other.xml`;
  house.source.documents.set(other, { body: urlset('/b') });
  house.warming.configure({ ...SETTINGS });
  await house.pass(1000);
  t.equal(house.source.asked.length, 1, 'the same settings change nothing');
  house.warming.configure({ ...SETTINGS, sitemaps: [other], everyMs: 10_000 });
  await house.pass(1000);
  t.same([house.source.asked, house.asked, house.expired], [[MAP, other], ['/a', '/b'], []]);
  t.same(await house.readingsWithin(21), [10, 20]);
  house.warming.configure({ ...SETTINGS, sitemaps: [] });
  t.same(await house.readingsWithin(120), []);
  t.equal(house.warming.warmNow(), 0);
  t.same(house.events.at(-1), { kind: 'standing', listed: 0, remaining: 0 });
  house.warming.configure(SETTINGS);
  t.equal(house.warming.warmNow(), 1);
  await house.pass(1000);
  t.equal(house.source.asked.at(-1), MAP);
});

t.test('another origin is asked for the sitemap anew, and without its validators', async (t) => {
  const house = await open({ body: urlset('/a'), fields: { etag: '"1"' } });
  house.warming.configure(SETTINGS, true);
  await house.pass(1000);
  t.same(
    house.source.validators.map(({ etag }) => etag),
    [undefined, undefined],
  );
});

t.test('other hosts or another scheme have everything read again, whatever the validators say', async (t) => {
  const house = new House();
  house.serve(({ etag }) =>
    etag === '"1"' ? { status: 304 } : { body: 'http://a.example/a\nhttp://b.example/b\n', fields: { etag: '"1"' } },
  );
  house.warming.configure(SETTINGS);
  await house.pass(1000);
  t.same(house.asked, ['/a']);
  house.warming.configure({ ...SETTINGS, hosts: new Set(['a.example', 'b.example']) });
  await house.pass(1000);
  t.same(house.asked, ['/a', 'http://b.example/b']);
  house.warming.configure({ ...SETTINGS, scheme: 'https' });
  await house.pass(1000);
  t.same(house.asked.at(-1), 'https://a.example/a');
  house.warming.configure({ ...SETTINGS, scheme: 'https', rate: 5 });
  await house.pass(1000);
  t.equal(house.source.validators.at(-1)?.etag, '"1"', 'another rate does not');
});

t.test('a reload in the middle of a reading gives that one up', async (t) => {
  const house = await open({ body: urlset() });
  house.serve(() => new Promise<Served>(() => {}));
  house.warming.configure({ ...SETTINGS, everyMs: 10_000 });
  await house.pass(1000);
  house.serve({ body: urlset('/b') });
  house.warming.configure({ ...SETTINGS, everyMs: 20_000 });
  await house.pass(1000);
  t.same(house.asked, ['/b']);
});

t.test('an order to warm while a reading runs leads to one more, and no more than that', async (t) => {
  const house = await open({ body: urlset() });
  let finish = (): void => {};
  house.serve(
    () =>
      new Promise<Served>((resolve) => {
        finish = () => resolve({ body: urlset('/a') });
      }),
  );
  for (let at = 0; at < 5; at++) t.equal(house.warming.warmNow(), 1);
  await turns(8);
  house.serve({ body: urlset('/a', '/b') });
  finish();
  await house.pass(1000);
  t.equal(house.source.asked.length, 3);
  t.same(house.asked, ['/a', '/b']);
});

t.test('issue 4: stopped, it does nothing more', async (t) => {
  const house = new House();
  house.serve({ body: urlset('/a', '/b', '/c') });
  house.warming.configure({ ...SETTINGS, rate: 1 });
  await house.pass(500);
  house.warming.stop();
  t.same(await house.readingsWithin(200), []);
  t.same(house.asked, ['/a']);
  t.equal(house.clock.pendingCount, 0);
});

t.test('a fault of its own is told, and does not end it', async (t) => {
  const house = await open({ body: urlset('/a') });
  house.source.documents.set(MAP, () => {
    throw new TypeError('a fault');
  });
  await house.pass(60_000);
  t.same(
    house.notices.filter(({ code }) => code === 'warm-fault').map(({ fields }) => fields),
    [{ error: 'TypeError: a fault' }],
  );
  house.serve({ body: urlset('/b') });
  await house.pass(60_000);
  t.same(house.asked, ['/a', '/b']);
});

t.test('issue 4: each round ends with one line, and each refusal begins with one', async (t) => {
  const house = await open({
    body: `${urlset('/a').replace('</urlset>\n', '')}<url><loc>http://b.example/</loc></url></urlset>`,
  });
  t.same(house.notices, [
    {
      level: 'warn',
      code: 'warm-refused',
      message:
        'Warming passes over something in or about a sitemap. It names a host that is not among those to be warmed (warm.hosts).',
      fields: { sitemap: MAP, reason: 'foreign-host', detail: 'http://b.example/', count: 1 },
    },
    {
      level: 'info',
      code: 'warm-round',
      message: 'A round of warming is over: 1 URLs listed, 1 filled.',
      fields: {
        outcome: 'complete',
        sitemaps: { read: 1, not_modified: 0, failed: 0 },
        urls: { listed: 1, left: 0, filled: 1 },
        seconds: 0,
      },
    },
  ]);
  t.same(
    house.events.filter(({ kind }) => kind !== 'standing'),
    [
      { kind: 'refused', reason: 'foreign-host', count: 1 },
      { kind: 'url', outcome: 'filled' },
      { kind: 'round', outcome: 'complete', endedWall: house.clock.wall() - 250 },
    ],
  );
});

t.test('issue 4: on a terminal one line shows how far it is, and is gone at the end', async (t) => {
  const house = new House(30);
  house.serve({ body: urlset('/a', '/b', '/c') });
  house.warming.configure({ ...SETTINGS, rate: 2 });
  await house.pass(2000);
  t.equal(house.screen[0], '\rwarming: reading sitemaps\x1b[K\r');
  t.ok(house.screen.includes('\rwarming: 1 of 3, 1 filled\x1b[K\r'), JSON.stringify(house.screen));
  t.equal(house.screen.at(-1), '\r\x1b[K');
  t.ok(house.screen.every((text) => text.length <= 30 + 5 && !text.includes('\n')));
  const length = house.screen.length;
  await house.pass(20_000);
  t.equal(house.screen.length, length, 'nothing between two rounds');
});

t.test('an origin that is gone in the middle is a failure like any other', async (t) => {
  const house = await open({ body: urlset('/a') });
  house.serve(new OriginError('origin-reset', 'gone'));
  await house.pass(60_000);
  t.same([house.rounds().at(-1), house.expired], ['partial', []]);
});
