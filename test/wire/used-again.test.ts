// Goal: no client ever gets a byte of another's body, though large bodies are read into buffers that are used again. Method: many bodies at once, each byte of which tells whose it is and where, to clients that take all, that stop taking in the middle, and that leave.
import t from 'tap';
import { ReadBuffer } from '../../lib/base/read-buffer.js';
import { HAS_FAST_LANE } from '../kit/lane.js';
import { openProxy, request } from '../kit/proxy-kit.js';
import { send } from '../kit/scripted-origin.js';
import { randomFrom } from './chaos-clients.js';

const MB = 1024 * 1024;
const ROUNDS = 3;
/** A prime: no two pieces of a body begin alike. */
const PATTERN_BYTES = 99_991;

function patternOf(name: string): Buffer {
  const random = randomFrom([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7));
  return Buffer.from(Array.from({ length: PATTERN_BYTES }, () => Math.floor(random() * 256)));
}

function bodyOf(name: string, bytes: number): Buffer {
  return Buffer.alloc(bytes, patternOf(name));
}

/** In chunks of all sizes. */
function chunked(body: Buffer, seed: number): Buffer {
  const random = randomFrom(seed);
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const length = Math.min(body.length - at, 1 + Math.floor(random() ** 3 * 300_000));
    parts.push(Buffer.from(`${length.toString(16)}\r\n`), body.subarray(at, at + length), Buffer.from('\r\n'));
    at += length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

const HEAD = 'HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n';

/** `/BYTES/FRAMING/NAME`. */
function readTarget(target: string): { readonly bytes: number; readonly isChunked: boolean; readonly name: string } {
  const [, bytes, framing, name = ''] = target.split('/');
  return { bytes: Number(bytes), isChunked: framing === 'chunked', name };
}

t.test('large bodies that pass at once come whole and unmixed, whoever stops taking or leaves', async (t) => {
  const house = await openProxy(t, { conf: { cache: { memory: '16MB' } } });
  house.origin.perform(({ target }) => {
    const { bytes, isChunked, name } = readTarget(target);
    const body = bodyOf(name, bytes);
    return isChunked
      ? [send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`), send(chunked(body, bytes))]
      : [send(`${HEAD}Content-Length: ${bytes}\r\n\r\n`), send(body)];
  });
  const random = randomFrom(20_261_130);
  const targetOf = (name: string): string => {
    const bytes = Math.floor((1 + random() * 4) * MB);
    return `/${bytes}/${random() < 0.5 ? 'chunked' : 'length'}/${name}`;
  };
  const isRight = (target: string, body: Buffer): boolean => {
    const { bytes, name } = readTarget(target);
    return body.equals(bodyOf(name, bytes));
  };
  const takesAll = async (name: string): Promise<void> => {
    const client = await house.connect();
    for (let i = 0; i < 3; i++) {
      const target = targetOf(`${name}-${i}`);
      client.send(request('GET', target));
      t.ok(isRight(target, (await client.response()).body), target);
    }
    client.close();
  };
  const leaves = async (name: string): Promise<void> => {
    const client = await house.connect();
    client.send(request('GET', targetOf(name)));
    await (await client.head()).received(Math.floor(random() * MB));
    client.reset();
  };
  /** Returns what reads on when the others have had theirs. */
  const stops = async (name: string): Promise<() => Promise<void>> => {
    const client = await house.connect();
    const target = targetOf(name);
    client.send(request('GET', target));
    const response = await client.head();
    await response.received(Math.floor(random() * MB));
    client.pause();
    return async () => {
      client.resume();
      t.ok(isRight(target, (await response.whole()).body), `${target}, taken late`);
      client.close();
    };
  };
  for (let round = 0; round < ROUNDS; round++) {
    const stopped = await Promise.all([0, 1, 2].map((i) => stops(`stops-${round}-${i}`)));
    await Promise.all([
      ...[0, 1, 2].map((i) => takesAll(`all-${round}-${i}`)),
      ...[0, 1, 2].map((i) => leaves(`leaves-${round}-${i}`)),
    ]);
    await Promise.all(stopped.map((goOn) => goOn()));
  }
  if (HAS_FAST_LANE) t.ok(ReadBuffer.spareCount > 0, 'buffers came back');
});
