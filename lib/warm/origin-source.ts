/**
 * Sitemaps come from the origin and from nowhere else, whatever host they name: that one is sent as Host, as that of a
 * visitor would be, and the origin client with its limits and its breaker is the way.
 */
import { OriginError } from '../base/errors.js';
import { MAX_SITEMAP_QUEUED_BYTES } from '../base/warm-limits.js';
import { requestOfUrl } from '../engine/own-request.js';
import type { EngineParts } from '../engine/parts.js';
import { Fields } from '../http/fields.js';
import type { OriginExchange, OriginListener, OriginResponseHead } from '../origin/contract.js';
import { requestToOrigin } from '../policy/hygiene.js';
import { Refusal, type SitemapAnswer, type SitemapSource, type Validators } from './contract.js';

export function createOriginSource(parts: EngineParts): SitemapSource {
  return {
    ask: (url, validators, signal) => {
      const { live, clock, origin } = parts;
      const request = requestOfUrl(url, askedWith(validators), live.rules, clock.now());
      if (request === undefined) return Promise.reject(new Refusal('bad-url', url));
      const fields = requestToOrigin(request, live.hygiene);
      const answer = new PulledAnswer();
      answer.exchange = origin.fetch({ method: 'GET', target: request.target, fields }, answer);
      signal.addEventListener('abort', () => answer.abort(), { once: true });
      if (signal.aborted) answer.abort();
      return answer.received;
    },
  };
}

function askedWith({ etag, lastModified }: Validators): Fields {
  const raw = ['Accept', 'application/xml, text/xml, application/rss+xml, application/atom+xml, text/plain, */*;q=0.5'];
  raw.push('Accept-Encoding', 'gzip');
  if (etag !== undefined) raw.push('If-None-Match', etag);
  if (lastModified !== undefined) raw.push('If-Modified-Since', lastModified);
  return new Fields(raw);
}

/** One answer: from the events of the client to a body that is pulled. The origin is held back while nobody pulls. */
class PulledAnswer implements OriginListener, SitemapAnswer {
  readonly received: Promise<SitemapAnswer>;
  exchange: OriginExchange | undefined;
  status = 0;
  readonly body: AsyncIterable<Buffer>;
  #fields = Fields.empty;
  #settle: { resolve(answer: SitemapAnswer): void; reject(error: OriginError): void } | undefined;
  readonly #chunks: Buffer[] = [];
  #queuedBytes = 0;
  #ending: 'open' | 'complete' | OriginError = 'open';
  #wake: () => void = () => {};

  constructor() {
    this.received = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.body = this.#pull();
  }

  field(name: string): string | undefined {
    return this.#fields.get(name);
  }

  inform(): void {}

  head({ status, fields }: OriginResponseHead): void {
    this.status = status;
    this.#fields = fields;
    this.#settle?.resolve(this);
  }

  data(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
    if (this.#queuedBytes > MAX_SITEMAP_QUEUED_BYTES) this.exchange?.pause();
    this.#wake();
  }

  end(): void {
    this.#ending = 'complete';
    this.#wake();
  }

  fail(error: OriginError): void {
    this.#ending = error;
    this.#settle?.reject(error);
    this.#wake();
  }

  abort(): void {
    this.exchange?.abort();
    this.#chunks.length = 0;
    if (this.#ending === 'open') this.fail(new OriginError('origin-aborted', 'the sitemap was given up'));
  }

  async *#pull(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#queuedBytes -= chunk.length;
        if (this.#queuedBytes <= MAX_SITEMAP_QUEUED_BYTES) this.exchange?.resume();
        yield chunk;
      } else if (this.#ending === 'complete') return;
      else if (this.#ending !== 'open') throw this.#ending;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
