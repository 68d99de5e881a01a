/** A 32-bit hash of a key (FNV-1a). Never told from equality where an answer hangs on it. */
export function hashOf(key: string): number {
  // What is stored is looked up several times in a row.
  if (key === lastKey) return lastHash;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  lastKey = key;
  lastHash = hash >>> 0;
  return lastHash;
}

let lastKey = '';
let lastHash = 0x811c9dc5;
