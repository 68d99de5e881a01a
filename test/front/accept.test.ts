// Goal: a server's connections become sockets once, by whoever wants them. Method: a server of node:net on the loopback, and what it gives.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import t from 'tap';
import { acceptHandles, handleOf, readInto } from '../../lib/front/read-into.js';
import { connectRaw } from '../kit/raw-client.js';
import { openHouse, until } from './house.js';

t.test(
  'decision 0015: a server gives its connections as handles, and makes sockets of those that are not taken',
  async (t) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const read: string[] = [];
    let isWanted = true;
    const take = (handle: Parameters<typeof readInto>[0], name: string) => {
      const socket = readInto(handle, (bytes, length) => {
        read.push(`${name}: ${bytes.toString('latin1', 0, length)}`);
        socket.write(name);
        return true;
      });
      socket.on('end', () => socket.end());
    };
    const isAsked = acceptHandles(server, (handle) => {
      if (isWanted) take(handle, 'handle');
      return isWanted;
    });
    t.ok(isAsked, 'this version of Node asks');
    server.on('connection', (accepted) => take(handleOf(accepted), 'socket'));
    for (const [i, name] of ['handle', 'socket', 'handle'].entries()) {
      isWanted = name === 'handle';
      const client = connect(port, '127.0.0.1');
      client.write(`${i}`);
      const [answer] = (await once(client, 'data')) as [Buffer];
      t.equal(answer.toString(), name);
      const closed = once(client, 'close');
      client.end();
      await closed;
    }
    await until(() => read.length === 3);
    t.strictSame(read, ['handle: 0', 'socket: 1', 'handle: 2']);
  },
);

for (const fastLane of [true, false]) {
  t.test(
    `decision 0020: a connection that was accepted elsewhere is served, with the fast lane ${fastLane ? 'on' : 'off'}`,
    async (t) => {
      const { front } = await openHouse(t, undefined, { isHanded: true, fastLane });
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.teardown(() => server.close());
      acceptHandles(server, (handle) => {
        front.take(handle, false);
        return true;
      });
      const { port } = server.address() as AddressInfo;
      const client = await connectRaw(port);
      t.teardown(() => client.close());
      const ask = (target: string) => client.send(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
      for (const target of ['/one', '/two']) {
        ask(target);
        t.equal((await client.response()).body.toString(), `you asked for ${target}`);
      }
      t.equal(front.connections, 1);
      t.equal(front.fastConnections, fastLane ? 1 : 0);
      // A client that ends its side after the request waits for the answer.
      ask('/three');
      client.finish();
      t.equal((await client.response()).body.toString(), 'you asked for /three');
    },
  );
}

t.test('an accept that fails is told by the server as ever', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  acceptHandles(server, () => {
    throw new Error('there is nothing to take');
  });
  const failed = once(server, 'error');
  const { _handle: handle } = server as unknown as { _handle: { onconnection(status: number): void } };
  // EMFILE: the process has no file descriptor left.
  handle.onconnection(-24);
  t.match(await failed.then(([error]) => error), { syscall: 'accept', code: 'EMFILE' });
});
