// Goal: who knows the secret gets an explanation with the answer, and nobody else; the trace log has one for every answer (issue 4). Method: the whole proxy on real sockets.
import t from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { createProxy } from '../../lib/proxy.js';
import { openProxy, request } from '../kit/proxy-kit.js';
import { connectRaw } from '../kit/raw-client.js';

const SECRET = 'open-sesame-12345';
const CONF = {
  explain: { header: 'X-Explain', secret: SECRET },
  rules: [{ name: 'a', match: { path: '/a' }, ttl: '60s' }],
};

t.test(
  'issue 4: an answer with the secret carries its explanation; without it, or with another, nothing',
  async (t) => {
    const house = await openProxy(t, { conf: CONF });
    house.origin.respond(() => ({ fields: ['ETag', '"1"', 'Vary', 'X-Explain'], body: 'x' }));
    const cold = await house.get('/a', `x-explain: ${SECRET}`);
    const explained = JSON.parse(cold.field('x-patina-explanation') ?? '{}');
    t.match(explained, { rule: 'a', key: 'http://a.example/a', now: { gets: 'miss', reason: 'uri-miss' } });
    t.equal(house.origin.requests[0]?.field('x-explain'), undefined, 'it goes no further');
    const hit = await house.get('/a', `X-Explain: ${SECRET}`);
    t.equal(hit.field('cdn-cache'), 'HIT', 'nor is it of any variant');
    t.match(JSON.parse(hit.field('x-patina-explanation') ?? '{}'), {
      now: { gets: 'hit', reason: 'fresh' },
      response: { stored: true, phases: [{ phase: 'fresh', by: 'ttl of a' }, {}, {}] },
    });
    for (const lines of [[], ['X-Explain: open'], ['X-Explain: ']]) {
      t.equal((await house.get('/a', ...lines)).field('x-patina-explanation'), undefined);
    }
    const passed = await house.ask(request('DELETE', '/a', `X-Explain: ${SECRET}`));
    t.match(JSON.parse(passed.field('x-patina-explanation') ?? '{}'), { pass: 'method' });
  },
);

t.test(
  'issue 4: the explanation of a POST that is cached is of its own content, not of the GET beside it',
  async (t) => {
    const conf = { ...CONF, rules: [{ name: 'q', match: { path: '/q' }, methods: ['GET', 'POST'], ttl: '60s' }] };
    const house = await openProxy(t, { conf });
    house.origin.respond(() => ({ body: 'x' }));
    await house.get('/q');
    const post = (content: string, ...lines: string[]) =>
      house.ask(
        `${request('POST', '/q', `X-Explain: ${SECRET}`, `Content-Length: ${content.length}`, ...lines)}${content}`,
      );
    const told = async (content: string): Promise<unknown> =>
      JSON.parse((await post(content)).field('x-patina-explanation') ?? '{}');
    t.match(await told('a'), {
      now: { gets: 'miss', reason: 'uri-miss' },
      key: /^http:\/\/a.example\/q POST content=/,
    });
    t.match(await told('a'), { now: { gets: 'hit', reason: 'fresh' } });
    t.match(await told('b'), { now: { gets: 'miss' } });
  },
);

t.test('issue 4: at level trace the log explains every answer', async (t) => {
  const house = await openProxy(t);
  house.origin.respond(() => ({ fields: ['Cache-Control', 'max-age=9'], body: 'x' }));
  let written = '';
  const conf = readConfig({ listen: '127.0.0.1:0', admin: 'off', log: { access: 'off', level: 'trace' } });
  const proxy = createProxy(withOrigin(conf, house.origin.url), {
    logDestination: {
      write(bytes, done) {
        written += bytes.toString();
        done();
      },
    },
  });
  const { listen } = await proxy.start();
  const client = await connectRaw(Number(listen.split(':')[1]));
  await client.send(request('GET', '/t', 'Connection: close')).response();
  await client.ended;
  await proxy.close();
  const line = written.split('\n').find((one) => one.includes('"code":"explained"')) ?? '{}';
  t.match(JSON.parse(line), {
    level: 'trace',
    msg: 'GET http://a.example/t: uri-miss',
    fields: { explanation: { rule: 'defaults', key: 'http://a.example/t' } },
  });
});
