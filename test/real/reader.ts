/** A client that reads many resources at once and hashes what it gets, without keeping it. */
import { createHash } from 'node:crypto';
import { Agent, get } from 'node:http';

const PARALLEL = 16;
/** No answer and no byte for this long is a failure. */
const SILENCE_TIMEOUT_MS = 20_000;

export interface ReadResult {
  readonly target: string;
  /** 0 where there was no complete answer. */
  readonly status: number;
  readonly digest: string;
  readonly bytes: number;
  /** Until the head had come. */
  readonly waitMs: number;
  readonly cacheStatus: string;
  readonly error: string;
}

export class Reader {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: PARALLEL });

  constructor(port: number) {
    this.#port = port;
  }

  read(target: string): Promise<ReadResult> {
    return new Promise((resolve) => {
      const startedAt = performance.now();
      const hash = createHash('sha256');
      let bytes = 0;
      const fail = (error: Error) =>
        resolve({ target, status: 0, digest: '', bytes, waitMs: 0, cacheStatus: '', error: error.message });
      const request = get({ host: '127.0.0.1', port: this.#port, path: target, agent: this.#agent });
      request.setTimeout(SILENCE_TIMEOUT_MS, () => request.destroy(new Error('no byte came')));
      request.once('error', fail);
      request.once('response', (response) => {
        const waitMs = performance.now() - startedAt;
        const cacheStatus = String(response.headers['cache-status'] ?? response.headers['x-cache-status'] ?? '');
        response.on('data', (chunk: Buffer) => {
          hash.update(chunk);
          bytes += chunk.length;
        });
        response.once('error', fail);
        response.once('end', () => {
          const status = response.statusCode ?? 0;
          resolve({ target, status, digest: hash.digest('hex'), bytes, waitMs, cacheStatus, error: '' });
        });
      });
    });
  }

  /** Each once, a few at a time. */
  async readAll(targets: readonly string[]): Promise<ReadResult[]> {
    const results: ReadResult[] = [];
    const queue = [...targets];
    const work = async () => {
      for (let target = queue.shift(); target !== undefined; target = queue.shift())
        results.push(await this.read(target));
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    return results;
  }

  close(): void {
    this.#agent.destroy();
  }
}
