/** Preloaded into the suite's server, which would listen to the whole network: keeps it on the loopback. */
import { Server } from 'node:net';

const listen = Server.prototype.listen;

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const [port, ...rest] = args;
  return Reflect.apply(listen, this, [port, '127.0.0.1', ...rest]) as Server;
} as typeof listen;
