/** Several ranges of a body that lies below, wrapped (RFC 9110 §14.6): read one after another, as their client takes them. */
import type { Body } from '../object/body.js';
import type { BodyReader, ReadResult } from '../object/reader.js';
import type { MultipartBody } from '../policy/range.js';

export class PartsReader implements BodyReader {
  readonly #body: Body;
  readonly #wrapped: MultipartBody;
  #index = 0;
  /** Of the part that is being given. */
  #reader: BodyReader | undefined;
  #isOver = false;

  /** `body`: one of which each byte is below, so that nothing has to be waited for. */
  constructor(body: Body, wrapped: MultipartBody) {
    this.#body = body;
    this.#wrapped = wrapped;
  }

  read(): ReadResult {
    const given = this.#reader?.read();
    if (given !== undefined && given !== 'end') return given;
    this.#reader?.close();
    this.#reader = undefined;
    if (this.#isOver) return 'end';
    const part = this.#wrapped.parts[this.#index++];
    if (part === undefined) {
      this.#isOver = true;
      return this.#wrapped.tail;
    }
    this.#reader = this.#body.open(part.range.from, part.range.until);
    return part.head;
  }

  onReadable(): void {
    // Every byte is there: read() never says `later`.
  }

  close(): void {
    this.#isOver = true;
    this.#index = this.#wrapped.parts.length;
    this.#reader?.close();
    this.#reader = undefined;
  }
}
