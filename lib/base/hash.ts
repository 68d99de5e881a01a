/** A 32-bit hash of a key (FNV-1a). Never told from equality where an answer hangs on it. */
export function hashOf(key: string): number {
  // What is stored is looked up several times in a row.
  if (key === lastKey) return lastHash;
  lastKey = key;
  lastHash = hashFrom(BASIS, key) >>> 0;
  return lastHash;
}

const BASIS = 0x811c9dc5;
let lastKey = '';
let lastHash = BASIS;

/** The hash of two texts as if they were one: to join them costs more than to look at each. */
export function hashOfBoth(first: string, second: string): number {
  if (first !== lastFirst) {
    lastFirst = first;
    hashOfFirst = hashFrom(BASIS, first);
  }
  lastSecond = second;
  lastOfBoth = hashFrom(hashOfFirst, second) >>> 0;
  return lastOfBoth;
}

let lastFirst = '';
let hashOfFirst = BASIS;
let lastSecond: string | undefined;
let lastOfBoth = BASIS;

/** The two texts as one, whose hash is known where hashOfBoth() was asked for it last. */
export function joined(first: string, second: string): string {
  const key = first + second;
  if (second === lastSecond && first === lastFirst) {
    lastKey = key;
    lastHash = lastOfBoth;
  }
  return key;
}

/** The same from another beginning, as a signed number. */
export function hashFrom(start: number, text: string): number {
  let hash = start;
  // Strings are of many kinds inside V8, and their length is looked up anew each time that it is asked for: a microsecond for
  // a key, where that is in the loop.
  const { length } = text;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
