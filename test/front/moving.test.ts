// Goal: a move to another address, by a reload, costs no client its answer. Method: clients that the kernel has accepted all at once, before the event loop turns; a front that moves meanwhile.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { TURNS_BEFORE_DRAIN } from '../../lib/base/limits.js';
import { turns } from '../kit/barrier.js';
import { openHouse } from './house.js';

const COUNT = 200;
const REQUEST = 'GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Clients that have connected and asked, as far as the kernel is concerned; the proxy has seen few of them. */
async function crowd(t: Test, port: number): Promise<readonly Socket[]> {
  const clients = Array.from({ length: COUNT }, () => {
    const client = connect({ port, host: '127.0.0.1' });
    t.teardown(() => client.destroy());
    client.write(REQUEST);
    return client;
  });
  await once(clients[COUNT - 1] as Socket, 'connect');
  return clients;
}

async function isAnswered(client: Socket): Promise<boolean> {
  let said = '';
  try {
    for await (const bytes of client) said += String(bytes);
  } catch {
    // It was reset.
  }
  return said.endsWith('you asked for /a');
}

async function answered(clients: readonly Socket[]): Promise<number> {
  return (await Promise.all(clients.map(isAnswered))).filter(Boolean).length;
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** Resolves once nobody listens there. Who asks too often is waited for. */
async function refused(port: number): Promise<void> {
  for (;;) {
    await turns(TURNS_BEFORE_DRAIN * 5);
    const client = connect({ port, host: '127.0.0.1' });
    const isOpen = await once(client, 'connect').then(
      () => true,
      () => false,
    );
    client.destroy();
    if (!isOpen) return;
  }
}

for (const fastLane of [true, false]) {
  t.test(
    `decision 0047: whom the kernel has accepted at the old address is answered, with the fast lane ${fastLane ? 'on' : 'off'}`,
    async (t) => {
      const { front, port } = await openHouse(t, undefined, { fastLane });
      const clients = await crowd(t, port);
      const move = await front.moveTo({ host: '127.0.0.1', port: 0 });
      move.take();
      t.equal(await answered(clients), COUNT);
      await refused(port);
      t.equal(await answered(await crowd(t, portOf(move.address))), COUNT);
    },
  );
}

t.test('the same where another host on the same port takes its place', async (t) => {
  const { front, port } = await openHouse(t);
  const clients = await crowd(t, port);
  const move = await front.moveTo({ host: '0.0.0.0', port });
  move.take();
  t.equal(await answered(clients), COUNT);
  t.equal(await answered(await crowd(t, port)), COUNT);
});

t.test('who came to a new address that is given up again is answered too', async (t) => {
  const { front, port } = await openHouse(t);
  const elsewhere = await front.moveTo({ host: '127.0.0.1', port: 0 });
  const clients = await crowd(t, portOf(elsewhere.address));
  await elsewhere.leave();
  t.equal(await answered(clients), COUNT);
  await refused(portOf(elsewhere.address));
  const everywhere = await front.moveTo({ host: '0.0.0.0', port });
  const others = await crowd(t, port);
  await everywhere.leave();
  t.equal(await answered(others), COUNT);
  t.equal(await answered(await crowd(t, port)), COUNT, 'and at the old address as before');
});

t.test('a move back, while the old address is still read, has it', async (t) => {
  const { front, port } = await openHouse(t);
  const clients = await crowd(t, port);
  const there = await front.moveTo({ host: '127.0.0.1', port: 0 });
  there.take();
  const back = await front.moveTo({ host: '127.0.0.1', port });
  back.take();
  t.equal(await answered(clients), COUNT);
  t.equal(await answered(await crowd(t, port)), COUNT);
  await refused(portOf(there.address));
});

t.test('a front that drains meanwhile lets in who has come to either, and listens nowhere', async (t) => {
  const { front, port } = await openHouse(t);
  const move = await front.moveTo({ host: '127.0.0.1', port: 0 });
  const clients = [...(await crowd(t, port)), ...(await crowd(t, portOf(move.address)))];
  move.take();
  const drained = front.drain(10_000);
  t.equal(await answered(clients), COUNT * 2);
  await drained;
  await refused(port);
  await refused(portOf(move.address));
});

t.test('a front that has drained before a move is made takes no address', async (t) => {
  const { front, port } = await openHouse(t);
  const there = await front.moveTo({ host: '127.0.0.1', port: 0 });
  const everywhere = front.moveTo({ host: '0.0.0.0', port });
  const drained = front.drain(10_000);
  await t.rejects(everywhere);
  await drained;
  there.take();
  await refused(portOf(there.address));
  await refused(port);
});
