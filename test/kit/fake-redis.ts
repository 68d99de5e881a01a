/**
 * A server that speaks the protocol of Redis and says what a test has it say: to see what is sent to it, and for servers
 * that are slow, lie, or go away. It keeps nothing: each lookup gets the lease.
 *
 *   const fake = await startFakeRedis(t);
 *   fake.answers.look = () => hang;                  // or 'ERR no', or any reply
 *   t.strictSame(fake.sent('AUTH'), [['AUTH', 'me', 'secret']]);
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { Test } from 'tap';
import * as scripts from '../../lib/store/shared-scripts.js';

export type FakeReply = string | number | null | Buffer | Error | readonly FakeReply[] | typeof hang | typeof cut;
/** Never answered. */
export const hang = Symbol('hang');
/** The connection is cut instead. */
export const cut = Symbol('cut');

type Command = readonly string[];
type ScriptName = 'look' | 'keep' | 'release' | 'renew' | 'readOps' | 'appendOp' | 'purge';

const SCRIPT_OF: readonly (readonly [string, ScriptName])[] = [
  [scripts.LOOK, 'look'],
  [scripts.KEEP, 'keep'],
  [scripts.RELEASE, 'release'],
  [scripts.RENEW, 'renew'],
  [scripts.READ_OPS, 'readOps'],
  [scripts.APPEND_OP, 'appendOp'],
  [scripts.PURGE, 'purge'],
];

export class FakeRedis {
  readonly commands: Command[] = [];
  /** Names that clients asked for in TLS. */
  readonly serverNames: (string | false)[] = [];
  /** By script, or by command. */
  readonly answers: Record<string, (command: Command) => FakeReply> = {
    look: (command) => [String(Date.now()), 'held', command[6] ?? '', []],
    keep: () => Buffer.from('kept'),
    release: () => 1,
    renew: () => 1,
    purge: () => 0,
    appendOp: () => Buffer.from('1-1'),
    readOps: () => [Buffer.from(String(Date.now())), Buffer.from(''), []],
    GET: (command) => (command[1]?.endsWith('dataset') === true ? Buffer.from('one') : null),
    INFO: () => Buffer.from('# Server\r\nredis_version:7.0.0\r\nloading:0\r\n'),
    PING: () => 'PONG',
  };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #subscribers = new Set<Socket>();
  #hanging: Socket | undefined;

  constructor(tls?: { readonly key: string; readonly cert: string }) {
    const take = (socket: Socket): void => this.#take(socket);
    this.#server =
      tls === undefined
        ? createServer(take)
        : createTlsServer(tls, (socket: TLSSocket) => {
            this.serverNames.push(socket.servername ?? false);
            take(socket);
          });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** The commands of this name, or the calls of this script, as they came. */
  sent(name: string): Command[] {
    return this.commands.filter((command) => command[0] === name || nameOf(command) === name);
  }

  /** The answer to the last command that was left hanging. */
  late(reply: FakeReply): void {
    this.#hanging?.write(encode(reply));
  }

  publish(channel: string, bytes: Buffer): void {
    for (const socket of this.#subscribers) socket.write(encode(['message', channel, bytes].map(bulk)));
  }

  /** Cuts every connection. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#subscribers.delete(socket);
    });
    socket.on('error', () => socket.destroy());
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      for (let parsed = parse(rest); parsed !== undefined; parsed = parse(rest)) {
        rest = rest.subarray(parsed.length);
        this.#answer(socket, parsed.command);
      }
    });
  }

  #answer(socket: Socket, command: Command): void {
    const [name = ''] = command;
    if (name === 'EVALSHA') {
      socket.write('-NOSCRIPT No matching script.\r\n');
      return;
    }
    this.commands.push(command);
    if (name === 'SUBSCRIBE' && this.answers[name] === undefined) {
      this.#subscribers.add(socket);
      socket.write(encode([bulk('subscribe'), bulk(command[1] ?? ''), 1]));
      return;
    }
    const reply = (this.answers[nameOf(command) ?? name] ?? (() => 'OK'))(command);
    if (reply === hang) {
      this.#hanging = socket;
      return;
    }
    if (reply === cut) socket.destroy();
    else socket.write(encode(reply));
  }

  async close(): Promise<void> {
    this.drop();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Which script a command runs. */
function nameOf([name, lua]: Command): ScriptName | undefined {
  return name === 'EVAL' ? SCRIPT_OF.find(([text]) => text === lua)?.[1] : undefined;
}

function bulk(value: string | Buffer): Buffer {
  return Buffer.from(value);
}

function encode(reply: FakeReply): Buffer {
  if (reply === null) return Buffer.from('$-1\r\n');
  if (typeof reply === 'number') return Buffer.from(`:${reply}\r\n`);
  if (reply instanceof Error) return Buffer.from(`-${reply.message}\r\n`);
  if (typeof reply === 'string') return Buffer.from(`+${reply}\r\n`);
  if (Buffer.isBuffer(reply)) return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from('\r\n')]);
  if (typeof reply === 'symbol') throw new Error('no reply');
  return Buffer.concat([
    Buffer.from(`*${reply.length}\r\n`),
    ...reply.map((one) => encode(typeof one === 'string' ? bulk(one) : one)),
  ]);
}

function parse(bytes: Buffer): { command: Command; length: number } | undefined {
  let at = 0;
  const line = (): string | undefined => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const text = bytes.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  const count = line();
  if (count === undefined) return undefined;
  const command: string[] = [];
  for (let n = 0; n < Number(count.slice(1)); n++) {
    const size = line();
    if (size === undefined || at + Number(size.slice(1)) + 2 > bytes.length) return undefined;
    const text = bytes.toString('utf8', at, at + Number(size.slice(1)));
    command.push(n === 0 ? text.toUpperCase() : text);
    at += Number(size.slice(1)) + 2;
  }
  return { command, length: at };
}

/** A server that is closed when the test ends. */
export async function startFakeRedis(
  t: Test,
  tls?: { readonly key: string; readonly cert: string },
): Promise<FakeRedis> {
  const fake = new FakeRedis(tls);
  t.teardown(() => fake.close());
  await fake.listen();
  return fake;
}
