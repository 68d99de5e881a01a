// Goal: the demo origin behaves like a real one, so that what is seen in front of it is true. Method: requests and a wall clock in, answers out.
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import t from 'tap';
import { startDemoOrigin } from '../../lib/demo/origin.js';
import { answer, NOT_MODIFIED_MS, RENDER_MS } from '../../lib/demo/pages.js';
import { Fields } from '../../lib/http/fields.js';
import { FakeClock } from '../kit/clock.js';

const T0 = Date.UTC(2026, 0, 1);
const NO_EDITS = new Map<string, number>();

function ask(path: string, fields: Record<string, string> = {}, wall = T0, method = 'GET') {
  return answer({ method, path, fields: Fields.of(fields) }, wall, NO_EDITS);
}

t.test('a page takes 300 ms, and a 304 for its validators takes 5 ms', async (t) => {
  for (const path of ['/', '/article/1', '/article/9', '/latest', '/api/stock', '/photo.png']) {
    const whole = ask(path);
    t.equal(whole.status, 200, path);
    t.equal(whole.delayMs, RENDER_MS, path);
    const etag = whole.fields.get('etag') ?? '';
    for (const condition of [etag, `"other", ${etag}`, `W/${etag}`, '*']) {
      const unchanged = ask(path, { 'If-None-Match': condition });
      t.equal(unchanged.status, 304, `${path} ${condition}`);
      t.equal(unchanged.delayMs, NOT_MODIFIED_MS);
      t.equal(unchanged.body.length, 0);
      t.equal(unchanged.fields.get('etag'), etag);
    }
    t.equal(ask(path, { 'If-None-Match': '"other"' }).status, 200);
  }
});

t.test('RFC 9110 §13.1.3: If-Modified-Since counts where there is no If-None-Match', async (t) => {
  const since = ask('/article/1').fields.get('last-modified') ?? '';
  t.equal(ask('/article/1', { 'If-Modified-Since': since }).status, 304);
  t.equal(ask('/article/1', { 'If-Modified-Since': since, 'If-None-Match': '"other"' }).status, 200);
  t.equal(ask('/article/1', { 'If-Modified-Since': 'Thu, 01 Jan 2015 00:00:00 GMT' }).status, 200);
  t.equal(ask('/api/stock').fields.get('last-modified'), undefined, 'one page has an ETag alone');
});

t.test('content changes now and then, and its validators with it', async (t) => {
  const before = ask('/article/1');
  const after = ask('/article/1', { 'If-None-Match': before.fields.get('etag') ?? '' }, T0 + 60_000);
  t.equal(after.status, 200);
  t.not(after.fields.get('etag'), before.fields.get('etag'));
  t.not(String(after.body), String(before.body));
  const edited = answer({ method: 'GET', path: '/article/1', fields: Fields.empty }, T0, new Map([['/article/1', 1]]));
  t.not(edited.fields.get('etag'), before.fields.get('etag'), 'an edit changes it at once');
});

t.test('one page fails half of the time', async (t) => {
  const statuses = Array.from({ length: 40 }, (_, second) => ask('/flaky', {}, T0 + second * 1000).status);
  t.equal(statuses.filter((status) => status === 503).length, 20);
  t.equal(statuses.filter((status) => status === 200).length, 20);
});

t.test('the page of a user is private and sets a cookie', async (t) => {
  const { fields, body } = ask('/account', { Cookie: 'a=b; user=ada' });
  t.match(String(body), /Hello, ada/);
  t.match(fields.get('cache-control'), /private/);
  t.match(fields.get('set-cookie'), /^user=ada;/);
  t.match(String(ask('/account', { Cookie: 'user=<script>' }).body), /stranger/, 'a cookie cannot write the page');
});

t.test('what is not there is 404, and other methods are refused or edit', async (t) => {
  t.equal(ask('/article/10').status, 404);
  t.equal(ask('/__proto__').status, 404);
  t.equal(ask('/', {}, T0, 'DELETE').status, 405);
  t.equal(ask('/', {}, T0, 'POST').status, 200);
});

t.test('the large image is a PNG', async (t) => {
  const { body } = ask('/photo.png');
  t.ok(body.length > 1_000_000);
  t.equal(body.toString('latin1', 1, 4), 'PNG');
  t.equal(body.toString('latin1', body.length - 8, body.length - 4), 'IEND');
});

t.test('over its socket it answers when the clock says so, with the length of the body', async (t) => {
  const clock = new FakeClock(T0);
  const origin = await startDemoOrigin({ clock });
  t.teardown(() => origin.close());
  const fetchAt = async (path: string, method = 'GET'): Promise<IncomingMessage> => {
    const request = get(new URL(path, origin.url), { method, agent: false });
    const answered = once(request, 'response');
    let isAnswered = false;
    void answered.then(() => {
      isAnswered = true;
    });
    const pump = () => {
      clock.advance(RENDER_MS);
      if (!isAnswered) setImmediate(pump);
    };
    pump();
    const [response] = await answered;
    response.resume();
    return response;
  };
  const page = await fetchAt('/article/2?x=1');
  t.equal(page.statusCode, 200);
  t.ok(Number(page.headers['content-length']) > 1000);
  const etag = page.headers.etag;
  const head = await fetchAt('/article/2', 'HEAD');
  t.equal(head.headers['content-length'], page.headers['content-length']);
  t.equal((await fetchAt('/article/2', 'POST')).statusCode, 200);
  t.not((await fetchAt('/article/2')).headers.etag, etag, 'a POST edits the page');
});
