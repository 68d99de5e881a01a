/**
 * Numbers out of bytes, and short texts into them. What a Buffer has for that is looked up by its name at each call, and
 * texts are written outside of JavaScript: both take longer than what is done.
 */

const asBytes = new Uint8Array(8);
const asDouble = new Float64Array(asBytes.buffer);
const asWords = new Uint32Array(asBytes.buffer);
/** Numbers are written with their lowest byte first; so are they here, nearly everywhere. */
asWords[0] = 1;
const isLowFirst = asBytes[0] === 1;

/** Of 32 bits, as writeUInt32LE() writes it. Who calls knows that the bytes are there. */
export function uint32At(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}

/** As writeDoubleLE() writes it. Who calls knows that the bytes are there. */
export function doubleAt(bytes: Uint8Array, at: number): number {
  asWords[isLowFirst ? 0 : 1] = uint32At(bytes, at);
  asWords[isLowFirst ? 1 : 0] = uint32At(bytes, at + 4);
  return asDouble[0] as number;
}

/** Writes a short text as latin1; returns where it ends. Who calls knows that there is room. */
export function putText(bytes: Uint8Array, text: string, from: number): number {
  const { length } = text;
  for (let at = 0; at < length; at++) bytes[from + at] = text.charCodeAt(at);
  return from + length;
}

/** Writes a whole number that is not negative in digits; returns where it ends. Who calls knows that there is room. */
export function putNumber(bytes: Uint8Array, value: number, from: number): number {
  if (value > MAX_INT32) return putLarge(bytes, value, from);
  // In integers alone: the remainder of what may have a fraction is computed outside of compiled code.
  let digits = 1;
  for (let rest = value | 0; rest >= 10; rest = (rest / 10) | 0) digits++;
  let rest = value | 0;
  for (let at = from + digits - 1; at >= from; at--) {
    const next = (rest / 10) | 0;
    bytes[at] = ZERO + (rest - next * 10);
    rest = next;
  }
  return from + digits;
}

function putLarge(bytes: Uint8Array, value: number, from: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest /= 10) digits++;
  let rest = value;
  for (let at = from + digits - 1; at >= from; at--) {
    bytes[at] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return from + digits;
}

const ZERO = 0x30;
const MAX_INT32 = 0x7fffffff;
