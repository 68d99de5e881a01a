/** An origin whose bodies carry their own key, version and checksum, and which answers conditions. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const DIGEST_CHARS = 64;
/** How long an answer is fresh. */
export const TTL_MS = 1_000;

/** Lengths by key: mostly small, some of several chunks, a few that go to disk as they arrive. */
function lengthOf(key: string, version: number): number {
  const hash = createHash('sha256').update(`${key} ${version}`).digest();
  const pick = hash.readUInt32LE(0);
  const kind = Number(/\d+/.exec(key)?.[0] ?? 0) % 40;
  if (kind === 0) return 4_500_000 + (pick % 2_000_000);
  return kind < 8 ? 60_000 + (pick % 400_000) : 100 + (pick % 8_000);
}

function bodyOf(key: string, version: number): Buffer {
  const head = Buffer.from(`${key} ${version}\n`);
  const fill = Buffer.alloc(lengthOf(key, version), `${version}:${key};`);
  const content = Buffer.concat([head, fill]);
  return Buffer.concat([content, Buffer.from(createHash('sha256').update(content).digest('hex'))]);
}

/** Why a body is not one of `key`; undefined where it is. */
export function flawOf(key: string, body: Buffer): string | undefined {
  const content = body.subarray(0, Math.max(0, body.length - DIGEST_CHARS));
  const told = body.subarray(content.length).toString('latin1');
  if (createHash('sha256').update(content).digest('hex') !== told)
    return `${key}: the checksum of ${body.length} bytes is wrong`;
  const own = content.subarray(0, content.indexOf('\n')).toString('latin1').split(' ', 1)[0];
  return own === key ? undefined : `${key}: the body is of ${own}`;
}

export class TortureOrigin {
  readonly url: string;
  readonly #server: Server;
  readonly #versions: Map<string, number>;

  private constructor(server: Server, versions: Map<string, number>) {
    this.#server = server;
    this.#versions = versions;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<TortureOrigin> {
    const versions = new Map<string, number>();
    const server = createServer((req, res) => {
      const key = req.url ?? '/';
      const version = versions.get(key) ?? 1;
      const fields = {
        ETag: `"${version}"`,
        'Cache-Control': `max-age=${TTL_MS / 1000}, stale-while-revalidate=86400`,
      };
      if (req.headers['if-none-match']?.includes(fields.ETag) === true) {
        res.writeHead(304, fields).end();
        return;
      }
      const body = bodyOf(key, version);
      res.writeHead(200, { ...fields, 'Content-Length': body.length }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TortureOrigin(server, versions);
  }

  /** The next answer for this key is another. */
  change(key: string): void {
    this.#versions.set(key, (this.#versions.get(key) ?? 1) + 1);
  }

  /** Whether a body is of the version that it has now. */
  isCurrent(key: string, body: Buffer): boolean {
    return body
      .subarray(0, 100)
      .toString('latin1')
      .startsWith(`${key} ${this.#versions.get(key) ?? 1}\n`);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
