/**
 * The keyed map of the memory tier, on node-cache (imported here alone).
 *
 * node-cache counts its ttl by the wall clock, which may be stepped; so nothing is ever deleted by it. It is told an
 * honest ttl, and tells when a key is looked up past that: the store then looks at the key by its own clock.
 * Keys are spread over several instances, because one object of a million keys stops the process for some 200 ms each
 * time it grows, and one of sixteen thousand for 2 ms.
 *
 * node-cache is given the hash of a key, a number, in place of the key: a text that names a property is kept by V8 in one
 * table for the whole process, and to go through a million of those takes 100 ms of each collection, in one pause. Of
 * keys with one hash the first has it; the others, few or made by an attacker, go by their text.
 */
import { createRequire } from 'node:module';
import type Cache from 'node-cache';
import { hashOf } from '../base/hash.js';
import { SECOND_MS } from '../base/units.js';

// As what it is, CommonJS, it is read in a third of the time.
const NodeCache = createRequire(import.meta.url)('node-cache') as typeof Cache;

/** Two to the power of this: instances. */
const SHARD_BITS = 6;
/** A hash of 31 bits is an integer without a box of its own. */
const HASH_MASK = 0x7fffffff;

export interface KeyedMap<V> {
  get(key: string): V | undefined;
  /** One with this hash of its key; others may have the same hash. */
  first(hash: number): V | undefined;
  /** Whether there may be others with this hash than the one that first() gives. */
  mayHoldMore(hash: number): boolean;
  /** Sets or replaces; `ttlMs` is when the key's last response has outlived its use. */
  set(key: string, value: V, ttlMs: number): void;
  delete(key: string): void;
}

/** What is kept says by itself what its key is. */
export interface Keyed {
  readonly key: string;
}

interface Shard {
  readonly cache: Cache;
  /** Keys that go by their text. */
  texts: number;
}

/** `onLapsed` hears of what was looked up after its ttl by the wall clock; it must not use the map. */
export function createKeyedMap<V extends Keyed>(onLapsed: (value: V) => void): KeyedMap<V> {
  const shards = Array.from({ length: 1 << SHARD_BITS }, () => makeShard(onLapsed));
  // The low bits choose within an instance.
  const shardOf = (hash: number): Shard => shards[hash >>> (31 - SHARD_BITS)] as Shard;
  return {
    get(key) {
      const hash = hashOf(key) & HASH_MASK;
      const { cache, texts } = shardOf(hash);
      const first = heldBy<V>(cache, hash);
      if (first !== undefined && first.key === key) return first;
      return texts === 0 ? undefined : cache.get<V>(textOf(key));
    },
    first(hash) {
      const masked = hash & HASH_MASK;
      return heldBy<V>(shardOf(masked).cache, masked);
    },
    mayHoldMore(hash) {
      return shardOf(hash & HASH_MASK).texts > 0;
    },
    set(key, value, ttlMs) {
      const hash = hashOf(key) & HASH_MASK;
      const shard = shardOf(hash);
      // node-cache takes 0 for "for ever" and keeps whole milliseconds.
      const ttlSec = Number.isFinite(ttlMs) ? Math.max(1, Math.ceil(ttlMs)) / SECOND_MS : 0;
      const first = shard.cache.get<V>(hash);
      const isTaken = first !== undefined && first.key !== key;
      if (shard.texts > 0 || isTaken) {
        const isText = shard.cache.has(textOf(key));
        if (isText || isTaken) {
          if (!isText) shard.texts++;
          shard.cache.set(textOf(key), value, ttlSec);
          return;
        }
      }
      shard.cache.set(hash, value, ttlSec);
    },
    delete(key) {
      const hash = hashOf(key) & HASH_MASK;
      const shard = shardOf(hash);
      if (shard.cache.get<V>(hash)?.key === key) shard.cache.del(hash);
      else if (shard.texts > 0) shard.texts -= shard.cache.del(textOf(key));
    },
  };
}

/** As get(), which first looks into what kind of key it is given: most hashes are asked for in vain. */
function heldBy<V>(cache: Cache, hash: number): V | undefined {
  return cache.data[hash] === undefined ? undefined : cache.get<V>(hash);
}

/** A text of digits would name the same property as the number. */
function textOf(key: string): string {
  return `:${key}`;
}

function makeShard<V>(onLapsed: (value: V) => void): Shard {
  const cache = new NodeCache({ useClones: false, checkperiod: 0, deleteOnExpire: false });
  // A plain object has keys of its own: `__proto__` and `constructor` must be keys like any other.
  cache.data = Object.create(null);
  cache.on('expired', (_, value: V) => onLapsed(value));
  return { cache, texts: 0 };
}
