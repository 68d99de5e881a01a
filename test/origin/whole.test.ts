// Goal: an answer that is here at once is told in one word, and every other in parts. Method: raw bytes from a scripted origin over real sockets; the breaker before a client that is played.
import t, { type Test } from 'tap';
import { BREAKER_FAILURES, BREAKER_OPEN_FIRST_MS } from '../../lib/base/limits.js';
import { SILENT } from '../../lib/observe/events.js';
import { guardOrigin } from '../../lib/origin/breaker.js';
import type { OriginClient, OriginListener } from '../../lib/origin/contract.js';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { finish, type ScriptedOrigin, type Step, send, startScriptedOrigin } from '../kit/scripted-origin.js';
import { PlayedOrigin } from '../kit/walk.js';
import { clientFor, get, WholeRecorder } from './exchange.js';

interface Bench {
  readonly origin: ScriptedOrigin;
  ask(
    method?: 'GET' | 'HEAD',
    whileAsked?: (exchange: ReturnType<OriginClient['fetch']>) => void,
  ): Promise<WholeRecorder>;
}

async function bench(t: Test): Promise<Bench> {
  const origin = await startScriptedOrigin();
  const client = clientFor(origin.url, { connections: 1 });
  t.teardown(async () => {
    await origin.close();
    await client.close();
  });
  const ask: Bench['ask'] = async (method = 'GET', whileAsked) => {
    const recorder = new WholeRecorder();
    const exchange = client.fetch({ ...get(), method }, recorder);
    whileAsked?.(exchange);
    await recorder.over;
    await turns();
    return recorder;
  };
  return { origin, ask };
}

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK';
const HELLO = `${head(OK, 'Content-Length: 5')}hello`;

t.test('which answers are told as a whole', async (t) => {
  const pause: Step = () => turns(10);
  const cases: [title: string, steps: Step[], story: string[], body: string, method?: 'HEAD'][] = [
    ['head and content in one read', [send(HELLO)], ['whole'], 'hello'],
    ['no content', [send(head(OK, 'Content-Length: 0'))], ['whole'], ''],
    ['a 304', [send(head('HTTP/1.1 304 Not Modified', 'Content-Length: 9'))], ['whole'], ''],
    ['an answer to HEAD', [send(head(OK, 'Content-Length: 9'))], ['whole'], '', 'HEAD'],
    [
      'behind an interim one',
      [send(`${head('HTTP/1.1 103 Hints', 'Link: </a>')}${HELLO}`)],
      ['inform', 'whole'],
      'hello',
    ],
    [
      'the content comes later',
      [send(head(OK, 'Content-Length: 5')), pause, send('hello')],
      ['head', 'data', 'end'],
      'hello',
    ],
    [
      'its last byte comes later',
      [send(HELLO.slice(0, -1)), pause, send('o')],
      ['head', 'data', 'data', 'end'],
      'hello',
    ],
    ['the head comes in two reads', [send(HELLO.slice(0, 20)), pause, send(HELLO.slice(20))], ['whole'], 'hello'],
    ['it ends with its connection', [send(`${head(OK)}hello`), finish()], ['head', 'data', 'end'], 'hello'],
    [
      'chunks, which may have trailers',
      [send(`${head(OK, 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\nA: b\r\n\r\n`)],
      ['head', 'data', 'end'],
      'hello',
    ],
  ];
  for (const [title, steps, story, body, method = 'GET'] of cases) {
    const { origin, ask } = await bench(t);
    origin.script(...steps);
    const recorder = await ask(method);
    t.strictSame([recorder.story, recorder.body, recorder.response !== undefined], [story, body, true], title);
  }
});

t.test('bytes behind a whole answer close its connection; without them it is used again', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(send(HELLO));
  origin.script(send(`${HELLO}more`));
  origin.script(send(HELLO));
  for (let i = 0; i < 3; i++) t.strictSame((await ask()).story, ['whole']);
  const connections = [];
  for (let i = 1; i <= 3; i++) connections.push((await origin.seen(i)).connection);
  t.strictSame(connections, [1, 1, 2]);
});

t.test('who has paused before the answer gets its content after it goes on', async (t) => {
  const { origin, ask } = await bench(t);
  origin.script(send(HELLO));
  const recorder = await ask('GET', (exchange) => {
    exchange.pause();
    void turns(10).then(() => exchange.resume());
  });
  t.strictSame([recorder.story, recorder.body], [['head', 'data', 'end'], 'hello']);
});

t.test('a whole answer can be given up, or asked after, from within', async (t) => {
  const origin = await startScriptedOrigin();
  const client = clientFor(origin.url, { connections: 1 });
  t.teardown(async () => {
    await origin.close();
    await client.close();
  });
  origin.script(send(HELLO));
  origin.script(send(HELLO));
  const next = new WholeRecorder();
  class Asker extends WholeRecorder {
    override whole(...told: Parameters<WholeRecorder['whole']>): void {
      super.whole(...told);
      exchange.pause();
      exchange.abort();
      client.fetch(get('/next'), next);
    }
  }
  const first = new Asker();
  const exchange = client.fetch(get(), first);
  await next.over;
  t.strictSame([first.story, next.story], [['whole'], ['whole']]);
  t.equal((await origin.seen(2)).connection, 1, 'over the same connection');
});

t.test('a whole answer tells the breaker that the origin was reached', async (t) => {
  const clock = new FakeClock();
  const client = new PlayedOrigin();
  const guard = guardOrigin(client, { clock, events: SILENT, random: () => 0.5 });
  for (let i = 0; i < BREAKER_FAILURES; i++) {
    guard.fetch(get(), new WholeRecorder());
    client.last.fail('origin-refused');
  }
  clock.advance(BREAKER_OPEN_FIRST_MS);
  const probe = new WholeRecorder();
  guard.fetch(get(), probe);
  client.last.respond(200);
  t.strictSame([probe.story, guard.healthy], [['whole'], true]);
});

t.test('who does not take a whole is told its parts', async (t) => {
  const client = new PlayedOrigin();
  const guard = guardOrigin(client, { clock: new FakeClock(), events: SILENT, random: () => 0.5 });
  const told: string[] = [];
  const note = (what: string) => () => void told.push(what);
  const listener: OriginListener = {
    inform: note('inform'),
    head: note('head'),
    data: note('data'),
    end: note('end'),
    fail: note('fail'),
  };
  guard.fetch(get(), listener);
  client.last.respond(200, {}, 'hello');
  t.strictSame(told, ['head', 'data', 'end']);
});
