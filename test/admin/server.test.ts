/** Goal: the operator's door answers what it says, to whom it may, and to nothing else. Method: real sockets, raw bytes. */

import { type AddressInfo, connect, createServer } from 'node:net';
import t, { type Test } from 'tap';
import type { AdminSources } from '../../lib/admin/routes.js';
import { createAdmin } from '../../lib/admin/server.js';
import { ADMIN_CLOSE_TIMEOUT_MS, ADMIN_MAX_CONNECTIONS, ADMIN_MAX_HEAD_BYTES } from '../../lib/base/admin-limits.js';
import { type Events, SILENT } from '../../lib/observe/events.js';
import { cutOff } from '../../lib/origin/cut-off.js';
import { createBarrier } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { connectRaw, exchangeRaw, type RawResponse } from '../kit/raw-client.js';
import { makeSources } from './sources.kit.js';

async function start(t: Test, sources: Partial<AdminSources> = {}, events: Events = SILENT) {
  const clock = new FakeClock();
  const listen = { host: '127.0.0.1', port: 0 };
  const admin = createAdmin({ listen, sources: makeSources(sources), clock, events });
  const { port } = await admin.start();
  t.teardown(() => {
    const closed = admin.close();
    clock.advance(ADMIN_CLOSE_TIMEOUT_MS);
    return closed;
  });
  return { admin, clock, port };
}

interface Asking {
  readonly method?: string;
  readonly host?: string;
  /** Further field lines, each with its CRLF. */
  readonly fields?: string;
}

function ask(port: number, target: string, { method = 'GET', host = 'localhost', fields = '' }: Asking = {}) {
  return exchangeRaw(port, `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`, method);
}

function json(response: RawResponse): Record<string, unknown> {
  return JSON.parse(response.body.toString());
}

t.test('/healthz: 200 as long as the process is alive, with facts about it', async (t) => {
  const { port } = await start(t);
  const response = await ask(port, '/healthz');
  t.equal(response.status, 200);
  t.equal(response.field('content-type'), 'application/json');
  t.equal(response.field('cache-control'), 'no-store');
  t.strictSame(json(response), { status: 'alive', version: '1.2.3' });
});

t.test('/readyz: 503 with the reasons while not ready, 200 again after', async (t) => {
  let reasons = ['draining'];
  const { port } = await start(t, { ready: () => ({ ready: reasons.length === 0, reasons }) });
  const waiting = await ask(port, '/readyz');
  t.equal(waiting.status, 503);
  t.strictSame(json(waiting), { ready: false, reasons: ['draining'] });
  t.equal((await ask(port, '/healthz')).status, 200, 'alive nevertheless');
  reasons = [];
  t.equal((await ask(port, '/readyz')).status, 200);
});

t.test('/metrics: the exposition with its content type', async (t) => {
  const { port } = await start(t);
  const response = await ask(port, '/metrics?name=x');
  t.equal(response.field('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.equal(response.body.toString(), 'patina_objects 3\n');
});

t.test('RFC 9110 §9.3.2: HEAD gets the fields of GET without the body', async (t) => {
  const { port } = await start(t);
  const get = await ask(port, '/metrics');
  const head = await ask(port, '/metrics', { method: 'HEAD' });
  t.equal(head.status, 200);
  t.equal(head.body.length, 0);
  t.equal(head.field('content-length'), get.field('content-length'));
});

t.test('RFC 9457 §3: an unknown path is a 404 problem document', async (t) => {
  const { port } = await start(t);
  for (const target of ['/', '/nope', '/metrics/', '/healthz%20', '//healthz', '/v1/objects/', '/constructor']) {
    const response = await ask(port, target);
    t.equal(response.status, 404, target);
    t.equal(response.field('content-type'), 'application/problem+json');
    t.match(json(response), { type: 'about:blank', title: 'Not Found', status: 404, detail: /./ });
  }
});

t.test('RFC 9110 §15.5.6: a wrong method is a 405 that names the right ones', async (t) => {
  const { port } = await start(t);
  for (const method of ['POST', 'DELETE', 'OPTIONS', 'PURGE', 'TRACE']) {
    const response = await ask(port, '/metrics', { method, fields: 'Content-Length: 0\r\n' });
    t.equal(response.status, 405, method);
    t.equal(response.field('allow'), 'GET, HEAD');
    t.match(json(response), { status: 405 });
  }
});

t.test('a source that fails is a 500 problem that says nothing of it, and a notice that does', async (t) => {
  const told: string[] = [];
  const events: Events = {
    ...SILENT,
    notice: (_level, code, _message, fields) => told.push(`${code}: ${String(fields?.['error'])}`),
  };
  const sources: Partial<AdminSources> = {
    metrics: () => Promise.reject(new Error('secret')),
    ready: () => {
      throw new Error('secret');
    },
  };
  const { port } = await start(t, sources, events);
  for (const target of ['/metrics', '/readyz']) {
    const response = await ask(port, target);
    t.equal(response.status, 500);
    t.notMatch(response.body.toString(), /secret/);
  }
  t.strictSame(told, ['admin-request-failed: Error: secret', 'admin-request-failed: Error: secret']);
});

t.test('RFC 9110 §15.5.20: on loopback a foreign Host gets 421, whatever the path', async (t) => {
  const { port } = await start(t);
  for (const target of ['/metrics', '/nope']) {
    const response = await ask(port, target, { host: 'rebound.evil.example' });
    t.equal(response.status, 421);
    t.equal(response.field('content-type'), 'application/problem+json');
  }
  t.equal((await ask(port, '/metrics', { host: `127.0.0.1:${port}` })).status, 200);
});

t.test('RFC 9112 §3.2.2: the authority of an absolute-form target counts instead of Host', async (t) => {
  const { port } = await start(t);
  t.equal((await ask(port, 'http://localhost/healthz', { host: 'ignored.example' })).status, 200);
  t.equal((await ask(port, 'http://evil.example/healthz')).status, 421);
  t.equal((await ask(port, 'http://localhost')).status, 404);
});

t.test('RFC 9112 §3.2: no Host at HTTP/1.1, or two of them, is a 400; none at HTTP/1.0 is fine', async (t) => {
  const { port } = await start(t);
  const none = await exchangeRaw(port, 'GET /healthz HTTP/1.1\r\n\r\n');
  t.equal(none.status, 400);
  t.equal(none.field('content-type'), 'application/problem+json');
  t.equal((await ask(port, '/healthz', { fields: 'Host: localhost\r\n' })).status, 400);
  t.equal((await exchangeRaw(port, 'GET /healthz HTTP/1.0\r\n\r\n')).status, 200);
});

t.test('a target that is no path is a 400', async (t) => {
  const { port } = await start(t);
  t.equal((await ask(port, '*', { method: 'OPTIONS' })).status, 400);
});

t.test('bytes that are not HTTP get a 400 problem and the end of the connection', async (t) => {
  const { port } = await start(t);
  const client = await connectRaw(port);
  client.send('\x16\x03\x01 hello\r\n\r\n');
  const response = await client.response();
  t.equal(response.status, 400);
  t.equal(response.field('connection'), 'close');
  t.match(json(response), { status: 400 });
  await client.ended;
});

t.test('a request head beyond the limit gets 431', async (t) => {
  const { port } = await start(t);
  const response = await ask(port, '/healthz', { fields: `X-Long: ${'x'.repeat(ADMIN_MAX_HEAD_BYTES)}\r\n` });
  t.equal(response.status, 431);
});

t.test('a client that leaves in the middle of its request disturbs nobody', async (t) => {
  const { port } = await start(t);
  const client = connect(port, '127.0.0.1');
  await new Promise((resolve) => client.once('connect', resolve));
  client.write('GET /metrics HTTP/1.1\r\nHost: local');
  cutOff(client);
  t.equal((await ask(port, '/metrics')).status, 200);
});

t.test('connections beyond the limit are closed', async (t) => {
  const { port } = await start(t);
  const clients = [];
  for (let i = 0; i < ADMIN_MAX_CONNECTIONS; i++) clients.push(await connectRaw(port));
  const extra = connect(port, '127.0.0.1').on('error', () => {});
  await new Promise((resolve) => extra.once('close', resolve));
  t.pass('the one too many was closed');
  for (const client of clients) client.close();
});

t.test('several requests go over one connection', async (t) => {
  const { port } = await start(t);
  const client = await connectRaw(port);
  client.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
  t.equal((await client.response()).status, 200);
  t.equal((await client.response()).body.toString(), 'patina_objects 3\n');
  client.close();
});

t.test(
  'RFC 9110 §9.3.6: nothing is reached through the admin listener, and CONNECT is answered with that',
  async (t) => {
    const { admin, clock, port } = await start(t);
    const client = await connectRaw(port);
    client.send('CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\nbytes for whatever is there');
    const response = await client.response();
    t.equal(response.status, 501);
    t.equal(response.field('content-type'), 'application/problem+json');
    t.equal(response.field('connection'), 'close');
    t.match(json(response), { status: 501, title: 'Not Implemented' });
    t.equal(await client.ended, 'finished');
    const holding = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    holding.resume().write('CONNECT localhost:80 HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => holding.once('end', resolve));
    const gone = new Promise((resolve) => holding.on('error', () => {}).once('close', resolve));
    const closed = admin.close();
    clock.advance(ADMIN_CLOSE_TIMEOUT_MS);
    await closed;
    holding.end();
    await gone;
  },
);

t.test(
  'a CONNECT behind a request that is not answered yet ends the connection, and is no answer to that',
  async (t) => {
    const running = createBarrier();
    const { port } = await start(t, {
      metrics: async () => {
        await running.passed;
        return { contentType: 'text/plain', body: '' };
      },
    });
    const client = await connectRaw(port);
    client.send('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nCONNECT localhost:80 HTTP/1.1\r\n\r\n');
    await t.rejects(client.response(), /0 body bytes came/);
    running.open();
  },
);

t.test('RFC 9110 §7.8: a request that would change to another protocol is answered in this one', async (t) => {
  const { port } = await start(t);
  const fields = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  t.equal((await ask(port, '/healthz', { fields })).status, 200);
});

t.test('close: running requests finish, idle connections end, and closing twice is one close', async (t) => {
  const running = createBarrier();
  const release = createBarrier();
  const { admin, port } = await start(t, {
    metrics: async () => {
      running.open();
      await release.passed;
      return { contentType: 'text/plain', body: 'late\n' };
    },
  });
  const idle = await connectRaw(port);
  idle.send('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await idle.response();
  const client = await connectRaw(port);
  client.send('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await running.passed;
  const closed = admin.close();
  await idle.ended;
  release.open();
  t.equal((await client.response()).body.toString(), 'late\n');
  await closed;
  await admin.close();
});

t.test('close cuts off a request that does not end', async (t) => {
  const running = createBarrier();
  const { admin, clock, port } = await start(t, {
    metrics: () => {
      running.open();
      return new Promise(() => {});
    },
  });
  const client = await connectRaw(port);
  client.send('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await running.passed;
  const closed = admin.close();
  clock.advance(ADMIN_CLOSE_TIMEOUT_MS);
  await closed;
  await client.ended;
  t.pass('closed');
});

t.test('a port in use rejects the start with its error', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;
  const listen = { host: '127.0.0.1', port };
  const admin = createAdmin({ listen, sources: makeSources(), clock: new FakeClock(), events: SILENT });
  await t.rejects(admin.start(), { code: 'EADDRINUSE' });
  await admin.close();
});
