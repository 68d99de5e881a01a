/**
 * The origin's side of a fill: which fields go out, in which attempt, and what of the answer is still current.
 * Implements RFC 9111 §4.3.1 and RFC 9110 §13.1.5, §14.2.
 */
import { OriginError } from '../base/errors.js';
import type { ReadBuffer } from '../base/read-buffer.js';
import { Fields } from '../http/fields.js';
import { copied } from '../object/chunks.js';
import type { StoredResponse } from '../object/stored.js';
import type { OriginExchange, OriginListener, OriginResponseHead } from '../origin/contract.js';
import { requestToOrigin } from '../policy/hygiene.js';
import { conditionalFields, type SentValidators, unconditionalFields } from '../policy/validate.js';
import { NOT_ASKED } from './bookkeeping.js';
import { isSameRepresentation } from './combining.js';
import type { Conditions, FillSpec } from './fill-contract.js';
import type { FoundBytes } from './leases-contract.js';
import type { EngineParts } from './parts.js';

/** What is at hand of a response whose rest is wanted. */
export interface Begun {
  readonly response: StoredResponse;
  readonly bytes: number;
}

/** Hears the answers. */
export interface AnswerListener extends OriginListener {
  /**
   * An answer that is here at once; its content is good until this returns. Returns whether that was all; if not, it was taken for its
   * head, and the rest is told as well.
   */
  whole(head: OriginResponseHead, content: Buffer): boolean;
  /** Hearing it broke an invariant. Does not throw. */
  broke(error: unknown): void;
}

/**
 * One attempt: what it still has to say once there was another concerns nobody any more. Whatever is thrown by what hears it
 * ends here: the fill it is for is over, and the connection and all other fills are none the worse for it.
 */
class Attempt implements OriginListener {
  isCurrent = true;
  readonly #asking: Asking;
  readonly #listener: AnswerListener;
  readonly #parts: EngineParts;

  constructor(asking: Asking, listener: AnswerListener, parts: EngineParts) {
    this.#asking = asking;
    this.#listener = listener;
    this.#parts = parts;
  }

  inform(status: number, fields: Fields): void {
    try {
      if (this.isCurrent) this.#listener.inform(status, fields);
    } catch (error) {
      this.#listener.broke(error);
    }
  }

  head(head: OriginResponseHead): void {
    if (!this.isCurrent) return;
    try {
      this.#noteAnswer(head);
      this.#listener.head(head);
    } catch (error) {
      this.#listener.broke(error);
    }
  }

  whole(head: OriginResponseHead, content: Buffer): void {
    if (!this.isCurrent) return;
    try {
      this.#noteAnswer(head);
      if (this.#listener.whole(head, content)) return;
    } catch (error) {
      this.#listener.broke(error);
      return;
    }
    // What became of its head may have ended this attempt.
    if (content.length > 0) this.data(copied(content));
    this.end(Fields.empty);
  }

  #noteAnswer({ status }: OriginResponseHead): void {
    const { clock, pace } = this.#parts;
    const steady = clock.steady();
    this.#asking.answerAt = clock.now();
    pace.answered(steady - this.#asking.sentAt, status, steady);
  }

  data(chunk: Buffer, buffer?: ReadBuffer): void {
    try {
      if (this.isCurrent) this.#listener.data(chunk, buffer);
    } catch (error) {
      this.#listener.broke(error);
    }
  }

  end(trailers: Fields): void {
    try {
      if (this.isCurrent) this.#listener.end(trailers);
    } catch (error) {
      this.#listener.broke(error);
    }
  }

  fail(error: OriginError): void {
    if (!this.isCurrent) return;
    try {
      if (!NOT_ASKED.has(error.code)) this.#parts.pace.failed(this.#parts.clock.steady());
      this.#listener.fail(error);
    } catch (fault) {
      this.#listener.broke(fault);
    }
  }
}

export class Asking {
  readonly #parts: EngineParts;
  readonly #spec: FillSpec;
  readonly #listener: AnswerListener;
  #attempt: Attempt | undefined;
  #exchange: OriginExchange | FoundBytes | undefined;
  /** The conditions that were sent about what is stored; undefined where none was. */
  sent: SentValidators | undefined;
  /** What the present request asks by. */
  conditions: Conditions = 'none';
  /** From which byte on the rest was asked for, where it was. */
  restFrom: number | undefined;
  /** When the present request was sent. */
  requestAt = 0;
  /** The same on the steady clock: how long the origin takes must not be measured by one that is set. */
  sentAt = 0;
  /** When the head of its answer came, once it has. */
  answerAt = 0;

  constructor(parts: EngineParts, spec: FillSpec, listener: AnswerListener) {
    this.#parts = parts;
    this.#spec = spec;
    this.#listener = listener;
  }

  #begin(): Attempt {
    this.#giveUp();
    const attempt = new Attempt(this, this.#listener, this.#parts);
    this.#attempt = attempt;
    return attempt;
  }

  #giveUp(): void {
    if (this.#attempt !== undefined) this.#attempt.isCurrent = false;
  }

  send(asked: Conditions, begun?: Begun): void {
    const { method, request } = this.#spec;
    const { target, content } = request;
    // RFC 9110 §13.1.2: to a POST a condition that does not hold is a failure, 412, and no 304.
    const conditions = content === undefined ? asked : 'none';
    const attempt = this.#begin();
    this.conditions = conditions;
    const fields = this.#fields(conditions, begun);
    this.requestAt = this.#parts.clock.now();
    this.sentAt = this.#parts.clock.steady();
    this.#exchange = this.#parts.origin.fetch(
      content === undefined ? { method, target, fields } : { method: 'POST', target, fields, content: content.bytes },
      attempt,
    );
  }

  /** Hears a body that lies below, in place of an answer. */
  follow(bytes: FoundBytes): void {
    const attempt = this.#begin();
    const to = this.#listener;
    this.#exchange = bytes;
    bytes.read({
      data: (chunk) => attempt.data(chunk),
      end: () => attempt.end(Fields.empty),
      fail: () => {
        const sentence = 'The tier below does not give the rest of the body.';
        // Not the attempt's word: it says nothing of how the origin fares.
        if (!attempt.isCurrent) return;
        try {
          to.fail(new OriginError('origin-truncated', sentence));
        } catch (error) {
          to.broke(error);
        }
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

  /** Whether others wait for the connection that this has. What was found elsewhere has none. */
  get isAwaited(): boolean {
    const exchange = this.#exchange;
    return exchange !== undefined && 'isAwaited' in exchange && exchange.isAwaited;
  }

  pause(): void {
    this.#exchange?.pause();
  }

  resume(): void {
    this.#exchange?.resume();
  }

  abort(): void {
    this.#giveUp();
    this.#exchange?.abort();
  }
}
