// Goal: no client loses a request to a signal that came at the same moment. Method: requests that the kernel has, and the proxy has not read yet, when the drain begins.
import t from 'tap';
import { turns } from '../kit/barrier.js';
import { type OpenProxy, openProxy, request } from '../kit/proxy-kit.js';

async function warm(house: OpenProxy): Promise<void> {
  house.origin.respond(() => ({ body: 'x', fields: ['Cache-Control', 'max-age=60'] }));
  await house.get('/a');
}

t.test('drain: a request that had arrived on an idle connection is answered, as its last', async (t) => {
  const house = await openProxy(t);
  await warm(house);
  const clients = [];
  for (let i = 0; i < 20; i++) {
    const client = await house.connect();
    await client.send(request('GET', '/a')).response();
    clients.push(client);
  }
  await turns(5);
  for (const client of clients) client.send(request('GET', '/a'));
  const drained = house.proxy.drain();
  for (const client of clients) {
    const response = await client.response();
    t.match([response.status, response.field('connection')], [200, 'close']);
    t.equal(await client.ended, 'finished');
  }
  await drained;
});

t.test('drain: a connection that the kernel had accepted gets its answer', async (t) => {
  const house = await openProxy(t);
  await warm(house);
  const client = await house.connect();
  client.send(request('GET', '/a'));
  const drained = house.proxy.drain();
  t.equal((await client.response()).status, 200);
  t.equal(await client.ended, 'finished');
  await drained;
});

t.test('drain: with no request on its way an idle connection is closed soon', async (t) => {
  const house = await openProxy(t);
  await warm(house);
  const client = await house.connect();
  await client.send(request('GET', '/a')).response();
  await house.proxy.drain();
  t.equal(await client.ended, 'finished');
});
