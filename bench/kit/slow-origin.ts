/** An origin that takes its time over one page, says "not modified" as slowly, and notes when it was asked. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const LASTING_SEC = 86_400;

export interface SlowOriginOptions {
  readonly delayMs: number;
  readonly ttlMs: number;
  /** Of these targets the answers stay fresh, and are not noted. */
  readonly lasting?: readonly string[];
  /** Each so manieth answer is another page. */
  readonly changesEvery?: number;
}

export interface SlowOrigin {
  readonly port: number;
  /** When each request came, by performance.now(). */
  readonly times: number[];
  close(): Promise<void>;
}

/** A page that carries the digest of the rest of it. */
export function pageOf(version: number, target: string): string {
  const text = `version ${version} of ${target} ${'x'.repeat(1_500)}`;
  return `${createHash('sha256').update(text).digest('hex')} ${text}`;
}

/** Whether a page is one of these, whole and unmixed. */
export function isPage(body: Buffer): boolean {
  const text = body.toString('latin1');
  return createHash('sha256').update(text.slice(65)).digest('hex') === text.slice(0, 64);
}

export async function startSlowOrigin(options: SlowOriginOptions): Promise<SlowOrigin> {
  const { delayMs, ttlMs, lasting = [], changesEvery = 4 } = options;
  const times: number[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const target = request.url ?? '/';
    const isLasting = lasting.includes(target);
    if (!isLasting) times.push(performance.now());
    const count = (counts.get(target) ?? 0) + 1;
    counts.set(target, count);
    const version = Math.floor(count / changesEvery);
    setTimeout(() => {
      const etag = `"${version}"`;
      const fields = {
        ETag: etag,
        'Cache-Control': `max-age=${isLasting ? LASTING_SEC : Math.round(ttlMs / 1000)}, stale-while-revalidate=60`,
        'Content-Type': 'text/plain',
      };
      const isSame = request.headers['if-none-match'] === etag;
      const page = pageOf(version, target);
      if (isSame) response.writeHead(304, fields).end();
      else response.writeHead(200, { ...fields, 'Content-Length': page.length }).end(page);
    }, delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    times,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
