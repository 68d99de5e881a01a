/**
 * The keyed map of the memory tier, on node-cache (imported here alone).
 *
 * node-cache counts its ttl by the wall clock, which may be stepped; so nothing is ever deleted by it. It is told an
 * honest ttl, and tells when a key is looked up past that: the store then looks at the key by its own clock.
 * Keys are spread over several instances, because one object of a million keys stops the process for some 200 ms each
 * time it grows, and one of sixteen thousand for 2 ms.
 */
import NodeCache from 'node-cache';
import { SECOND_MS } from '../base/units.js';

/** Instances; a power of two. */
const SHARDS = 64;
/** Characters at the end of a key that choose its instance: enough to tell neighbouring pages apart, few on the path of a hit. */
const SHARD_CHARS = 8;

export interface KeyedMap<V> {
  get(key: string): V | undefined;
  /** Sets or replaces; `ttlMs` is when the key's last response has outlived its use. */
  set(key: string, value: V, ttlMs: number): void;
  delete(key: string): void;
}

/** `onLapsed` hears of a key that was looked up after its ttl by the wall clock; it must not use the map. */
export function createKeyedMap<V>(onLapsed: (key: string, value: V) => void): KeyedMap<V> {
  const shards = Array.from({ length: SHARDS }, () => makeShard(onLapsed));
  const shardOf = (key: string): NodeCache => {
    let mixed = key.length;
    for (let at = Math.max(0, key.length - SHARD_CHARS); at < key.length; at++)
      mixed = (Math.imul(mixed, 31) + key.charCodeAt(at)) | 0;
    return shards[(mixed ^ (mixed >>> 6)) & (SHARDS - 1)] as NodeCache;
  };
  return {
    get: (key) => shardOf(key).get<V>(key),
    set(key, value, ttlMs) {
      // node-cache takes 0 for "for ever" and keeps whole milliseconds.
      shardOf(key).set(key, value, Number.isFinite(ttlMs) ? Math.max(1, Math.ceil(ttlMs)) / SECOND_MS : 0);
    },
    delete(key) {
      shardOf(key).del(key);
    },
  };
}

function makeShard<V>(onLapsed: (key: string, value: V) => void): NodeCache {
  const shard = new NodeCache({ useClones: false, checkperiod: 0, deleteOnExpire: false });
  // A plain object has keys of its own: `__proto__` and `constructor` must be keys like any other.
  shard.data = Object.create(null);
  shard.on('expired', onLapsed);
  return shard;
}
