/**
 * The origin's side of a fill: which fields go out, in which attempt, and what of the answer is still current.
 * Implements RFC 9111 §4.3.1 and RFC 9110 §13.1.5, §14.2.
 */
import { OriginError } from '../base/errors.js';
import { Fields } from '../http/fields.js';
import type { StoredResponse } from '../object/stored.js';
import type { OriginExchange, OriginListener } from '../origin/contract.js';
import { requestToOrigin } from '../policy/hygiene.js';
import { conditionalFields, type SentValidators, unconditionalFields } from '../policy/validate.js';
import { NOT_ASKED } from './bookkeeping.js';
import type { Conditions, FillSpec } from './fill-contract.js';
import type { FoundBytes } from './leases-contract.js';
import type { EngineParts } from './parts.js';
import { isSameRepresentation } from './response.js';

/** What is at hand of a response whose rest is wanted. */
export interface Begun {
  readonly response: StoredResponse;
  readonly bytes: number;
}

export class Asking {
  readonly #parts: EngineParts;
  readonly #spec: FillSpec;
  readonly #listener: OriginListener;
  #attempts = 0;
  #exchange: OriginExchange | FoundBytes | undefined;
  /** The conditions that were sent about what is stored; undefined where none was. */
  sent: SentValidators | undefined;
  /** What the present request asks by. */
  conditions: Conditions = 'none';
  /** From which byte on the rest was asked for, where it was. */
  restFrom: number | undefined;
  /** When the present request was sent. */
  requestAt = 0;

  constructor(parts: EngineParts, spec: FillSpec, listener: OriginListener) {
    this.#parts = parts;
    this.#spec = spec;
    this.#listener = listener;
  }

  send(asked: Conditions, begun?: Begun): void {
    // RFC 9110 §13.1.2: to a POST a condition that does not hold is a failure, 412, and no 304.
    const conditions = this.#spec.request.content === undefined ? asked : 'none';
    const attempt = ++this.#attempts;
    this.conditions = conditions;
    const to = this.#listener;
    // What an earlier attempt still has to say concerns nobody any more.
    const isCurrent = (): boolean => attempt === this.#attempts;
    const fields = this.#fields(conditions, begun);
    const { clock, pace } = this.#parts;
    this.requestAt = clock.now();
    const { method, request } = this.#spec;
    const { target, content } = request;
    this.#exchange = this.#parts.origin.fetch(
      content === undefined ? { method, target, fields } : { method: 'POST', target, fields, content: content.bytes },
      {
        inform: (status, informed) => {
          if (isCurrent()) to.inform(status, informed);
        },
        head: (head) => {
          if (!isCurrent()) return;
          const now = clock.now();
          pace.answered(now - this.requestAt, head.status, now);
          to.head(head);
        },
        data: (chunk) => {
          if (isCurrent()) to.data(chunk);
        },
        end: (trailers) => {
          if (isCurrent()) to.end(trailers);
        },
        fail: (error) => {
          if (!isCurrent()) return;
          if (!NOT_ASKED.has(error.code)) pace.failed(clock.now());
          to.fail(error);
        },
      },
    );
  }

  /** Hears a body that lies below, in place of an answer. */
  follow(bytes: FoundBytes): void {
    const attempt = ++this.#attempts;
    const to = this.#listener;
    const isCurrent = (): boolean => attempt === this.#attempts;
    this.#exchange = bytes;
    bytes.read({
      data: (chunk) => {
        if (isCurrent()) to.data(chunk);
      },
      end: () => {
        if (isCurrent()) to.end(Fields.empty);
      },
      fail: () => {
        const sentence = 'The tier below does not give the rest of the body.';
        if (isCurrent()) to.fail(new OriginError('origin-truncated', sentence));
      },
    });
  }

  #fields(conditions: Conditions, begun: Begun | undefined): Fields {
    const { request, basis, candidates } = this.#spec;
    const fields = requestToOrigin(request, this.#parts.live.hygiene);
    this.sent = undefined;
    this.restFrom = undefined;
    switch (conditions) {
      case 'client':
        return fields;
      case 'none':
        return unconditionalFields(fields);
      case 'stored': {
        const made = conditionalFields(fields, candidates, basis);
        this.sent = made.sent;
        return made.fields;
      }
      case 'rest':
        return begun === undefined ? unconditionalFields(fields) : this.#restFields(fields, begun);
    }
  }

  /** Asks for the rest, of that representation; where it has changed, for the whole (RFC 9110 §13.1.5). */
  #restFields(fields: Fields, { response, bytes }: Begun): Fields {
    this.restFrom = bytes;
    const asked = unconditionalFields(fields).append('Range', `bytes=${bytes}-`);
    const etag = response.fields.first('etag');
    const isStrong = isSameRepresentation(response.fields, response.fields);
    return isStrong && etag !== undefined ? asked.append('If-Range', etag) : asked;
  }

  pause(): void {
    this.#exchange?.pause();
  }

  resume(): void {
    this.#exchange?.resume();
  }

  abort(): void {
    this.#attempts++;
    this.#exchange?.abort();
  }
}
