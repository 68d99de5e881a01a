// Goal: a cut connection is seen as cut, and its descriptor is given back, whoever else destroys it. Method: real sockets.
import { connect, createServer, type Server, type Socket } from 'node:net';
import t from 'tap';
import { cutOff } from '../../lib/origin/cut-off.js';

async function pair(): Promise<{ server: Server; near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const far = connect(port, '127.0.0.1');
  const near = await accepted;
  return { server, near, far };
}

async function fate(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('end', () => resolve('clean end'));
    socket.resume();
  });
}

const openSockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

t.test('the other side sees a reset, not an end', async (t) => {
  const { server, near, far } = await pair();
  const seen = fate(far);
  near.write('half');
  cutOff(near);
  t.equal(await seen, 'ECONNRESET');
  server.close();
});

t.test('whoever destroys the socket as well, or has ended it before, no descriptor stays open', async (t) => {
  for (const order of ['cut twice', 'end, cut', 'cut, destroy'] as const) {
    const { server, near, far } = await pair();
    const closed = Promise.all([near, far].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
    far.on('error', () => far.destroy());
    far.on('end', () => far.destroy());
    far.resume();
    near.write('x'.repeat(1000));
    if (order === 'end, cut') near.end();
    cutOff(near);
    if (order === 'cut twice') cutOff(near);
    if (order === 'cut, destroy') near.destroy();
    await closed;
    await new Promise((resolve) => server.close(resolve));
    t.equal(openSockets(), 0, order);
  }
});

t.test('an end that waits behind unsent bytes is not said', async (t) => {
  const { server, near, far } = await pair();
  if (far.connecting) await new Promise((resolve) => far.once('connect', resolve));
  far.on('error', () => {});
  near.write(Buffer.alloc(20_000_000));
  near.end();
  cutOff(near);
  await new Promise((resolve) => near.once('close', resolve));
  // What is written to a connection that was only ended is taken.
  const error = await new Promise((resolve) => far.write('x', resolve));
  t.match(error, { code: /EPIPE|ECONNRESET/ });
  server.close();
});
