/**
 * Looks at the first bytes of an answer before the parser of undici does: takes out a 100 that nobody asked for, on
 * which undici would close the connection though a client must be able to parse it (RFC 9110 §15.2), and notes the
 * version of the answer, which undici does not tell (RFC 9112 §2.3, §6.1). Only a 100 that comes first is taken out.
 */
import { MAX_INTERIM_RESPONSES, MAX_RESPONSE_FIELDS_BYTES } from '../base/limits.js';

const CONTINUE = Buffer.from('HTTP/1.1 100', 'latin1');
const OLD = Buffer.from('HTTP/1.0', 'latin1');
const HEAD_END = Buffer.from('\r\n\r\n', 'latin1');
const NOTHING = Buffer.alloc(0);

export class HeadSift {
  #isExpecting = false;
  #held: Buffer = NOTHING;
  #takenCount = 0;
  /** The version that the present answer begins with; empty before its first bytes. */
  version = '';

  /** A request goes out: the next bytes begin its answer. */
  expect(): void {
    this.#isExpecting = true;
    this.#held = NOTHING;
    this.#takenCount = 0;
    this.version = '';
  }

  /** The bytes that are for the parser; may be none yet. */
  pass(chunk: Buffer): Buffer {
    if (!this.#isExpecting) return chunk;
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NOTHING;
    for (;;) {
      const start = bytes.subarray(0, CONTINUE.length);
      if (start.length < CONTINUE.length && startsLike(start)) return this.#hold(bytes);
      const end = start.equals(CONTINUE) ? bytes.indexOf(HEAD_END) : -1;
      if (end < 0) {
        if (start.equals(CONTINUE) && bytes.length < MAX_RESPONSE_FIELDS_BYTES) return this.#hold(bytes);
        return this.#release(bytes);
      }
      this.#takenCount++;
      if (this.#takenCount > MAX_INTERIM_RESPONSES) return this.#release(bytes);
      bytes = bytes.subarray(end + HEAD_END.length);
    }
  }

  #hold(bytes: Buffer): Buffer {
    this.#held = bytes;
    return NOTHING;
  }

  #release(bytes: Buffer): Buffer {
    this.#isExpecting = false;
    this.version = bytes.toString('latin1', 0, OLD.length);
    return bytes;
  }
}

/** Too short to tell: could become either of the two versions. */
function startsLike(start: Buffer): boolean {
  if (start.equals(CONTINUE.subarray(0, start.length))) return true;
  return start.length < OLD.length && start.equals(OLD.subarray(0, start.length));
}
