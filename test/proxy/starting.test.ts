// Goal: a proxy that is closed while it starts holds nothing. Method: the real one, its port asked for afterwards.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import t from 'tap';
import { readConfig } from '../../lib/config/load.js';
import { withOrigin } from '../../lib/config/schema.js';
import { createProxy } from '../../lib/proxy.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

t.test('a start that is overtaken by a close rejects, and neither port is open', async (t) => {
  const [port, admin] = [await freePort(), await freePort()];
  const settings = readConfig({ listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${admin}` });
  const proxy = createProxy(withOrigin(settings, new URL('http://127.0.0.1:9')));
  const starting = t.rejects(proxy.start(), /closed while it started/);
  await proxy.close();
  await starting;
  t.ok(await isRefused(port));
  t.ok(await isRefused(admin));
});
