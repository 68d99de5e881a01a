/**
 * The passes over a real origin: what is stored is served for its ttl, then at once while one conditional request
 * each refreshes it; what has changed, and only that, is fetched again; an absent origin is not felt.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { RealOrigin, Served } from './origin.js';
import type { Reader, ReadResult } from './reader.js';
import { notExactlyOnce, Record } from './record.js';
import type { Resource } from './tree.js';

const CHANGED_COUNT = 10;
const POLL_MS = 50;
/** Past the ttl, so that a proxy that counts in whole seconds has seen it pass as well. */
const MARGIN_MS = 1_500;
/** For the request that goes stale to be seen, and its refresh to end. */
const REFRESH_MS = 1_000;
/** For background requests to reach the origin's log. */
const SETTLE_TIMEOUT_MS = 20_000;
/** Without news for this long, no more is coming. */
const QUIET_MS = 300;
/** For the pauses after a failure to run out, once the origin is back. */
const RECOVERY_TIMEOUT_MS = 120_000;
const RECOVERY_POLL_MS = 500;
/** A 304 has a head alone. */
const MAX_HEAD_BYTES = 1024;

/** The machine was too slow for the ttl: the passes that must fall within one did not. */
export class TtlTooShort extends Error {}

export interface Setting {
  readonly origin: RealOrigin;
  readonly reader: Reader;
  readonly resources: readonly Resource[];
  readonly ttlMs: number;
}

export class Passes {
  readonly record = new Record();
  readonly #setting: Setting;
  readonly #targets: readonly string[];
  /** When the responses that were received last go stale, at the latest. */
  #staleAt = 0;
  /** When those that were received first go stale. */
  #freshUntil = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
    this.#targets = setting.resources.map((resource) => resource.target);
  }

  async run(): Promise<void> {
    await this.#cold();
    await this.#hits('2 hits');
    await this.#refresh();
    await this.#hits('4 hits again');
    await this.#change();
    await this.#absent();
    await this.#return();
  }

  async #readAll(): Promise<ReadResult[]> {
    return this.#setting.reader.readAll(this.#targets);
  }

  /** What is not, byte for byte, what the origin has. */
  async #differing(results: readonly ReadResult[]): Promise<string[]> {
    const byTarget = new Map(this.#setting.resources.map((resource) => [resource.target, resource]));
    const wrong: string[] = [];
    for (const { target, status, digest, bytes, error } of results) {
      const expected = await byTarget.get(target)?.digest();
      if (status !== 200 || digest !== expected) wrong.push(`${target}: ${status}, ${bytes} bytes ${error}`);
    }
    return wrong;
  }

  /** Waits until the origin has answered `count` requests and is quiet. */
  async #settle(count: number): Promise<Served[]> {
    const served: Served[] = [];
    const giveUpAt = performance.now() + SETTLE_TIMEOUT_MS;
    let newsAt = performance.now();
    while (performance.now() < giveUpAt) {
      const news = await this.#setting.origin.take();
      served.push(...news);
      if (news.length > 0) newsAt = performance.now();
      if (served.length >= count && performance.now() - newsAt > QUIET_MS) break;
      await pause(POLL_MS);
    }
    return served;
  }

  async #untilStale(): Promise<void> {
    await pause(Math.max(0, this.#staleAt - performance.now()));
  }

  #mustBeFresh(): void {
    if (performance.now() > this.#freshUntil) throw new TtlTooShort();
  }

  /** Marks the time between `startedAt` and now as that in which all responses were received. */
  #received(startedAt: number): void {
    this.#freshUntil = startedAt + this.#setting.ttlMs;
    this.#staleAt = performance.now() + this.#setting.ttlMs + MARGIN_MS;
  }

  async #cold(): Promise<void> {
    const startedAt = performance.now();
    const results = await this.#readAll();
    this.#received(startedAt);
    const served = await this.#settle(this.#targets.length);
    this.record.note('1 cold', results, served);
    const wrong = await this.#differing(results);
    this.record.claim(
      `pass 1: all ${results.length} responses are byte-identical to the origin's`,
      wrong.length === 0,
      wrong,
    );
    const often = notExactlyOnce(
      this.#targets,
      served.filter((one) => one.status === 200),
    );
    this.record.claim('pass 1: each was fetched whole, once', often.length === 0, often);
  }

  async #hits(name: string): Promise<void> {
    const results = await this.#readAll();
    this.#mustBeFresh();
    const served = await this.#settle(0);
    this.record.note(name, results, served);
    const wrong = await this.#differing(results);
    const pass = `pass ${name.slice(0, 1)}`;
    this.record.claim(`${pass}: all are served again, byte-identical`, wrong.length === 0, wrong);
    this.record.claim(
      `${pass}: nothing reaches the origin`,
      served.length === 0,
      served.map((one) => one.target),
    );
  }

  async #refresh(): Promise<void> {
    await this.#untilStale();
    const startedAt = performance.now();
    const results = await this.#readAll();
    const served = await this.#settle(this.#targets.length);
    this.#received(startedAt);
    this.record.note('3 stale', results, served);
    const wrong = await this.#differing(results);
    this.record.claim('pass 3: past the ttl all are served, byte-identical', wrong.length === 0, wrong);
    const often = notExactlyOnce(
      this.#targets,
      served.filter((one) => one.status === 304),
    );
    this.record.claim('pass 3: each is revalidated by exactly one 304', often.length === 0, often);
    const moved = served.filter((one) => one.status !== 304 || one.wireBytes > MAX_HEAD_BYTES);
    this.record.claim(
      'pass 3: no body moves',
      moved.length === 0,
      moved.map((one) => `${one.status} ${one.target}`),
    );
    const waited = results.filter(
      (result) => result.cacheStatus !== '' && !/hit|stale|updating/i.test(result.cacheStatus),
    );
    this.record.claim(
      'pass 3: none waits for the origin',
      waited.length === 0,
      waited.map((one) => `${one.target}: ${one.cacheStatus}`),
    );
  }

  /** Spread over all there is, first and last with them, so that they are of many types. */
  #toChange(): Resource[] {
    const { resources } = this.#setting;
    const step = (resources.length - 1) / (CHANGED_COUNT - 1);
    return Array.from({ length: CHANGED_COUNT }, (_, i) => resources[Math.round(i * step)]).filter(
      (resource) => resource !== undefined,
    );
  }

  /** Reads until all are as the origin has them; how long the slowest took. */
  async #untilCurrent(changed: readonly Resource[], giveUpMs: number): Promise<number> {
    const startedAt = performance.now();
    for (;;) {
      const wrong = await this.#differing(await this.#setting.reader.readAll(changed.map((one) => one.target)));
      const tookMs = performance.now() - startedAt;
      if (wrong.length === 0 || tookMs > giveUpMs) return tookMs;
      await pause(POLL_MS);
    }
  }

  async #change(): Promise<void> {
    const { origin, ttlMs } = this.#setting;
    const changed = this.#toChange();
    for (const resource of changed) await resource.change();
    const boundMs = ttlMs + REFRESH_MS;
    const tookMs = await this.#untilCurrent(changed, 2 * boundMs);
    await this.#untilStale();
    const startedAt = performance.now();
    const results = await this.#readAll();
    const served = await this.#settle(this.#targets.length);
    this.#received(startedAt);
    this.record.note('5 changed', results, served);
    const took = `${(tookMs / 1000).toFixed(1)} s of a ttl of ${ttlMs / 1000} s`;
    this.record.claim(`pass 5: within one ttl the new bytes are served (${took})`, tookMs <= boundMs);
    const names = changed.map((resource) => resource.target);
    const often = notExactlyOnce(
      names,
      served.filter((one) => one.status === 200),
    );
    this.record.claim(`pass 5: exactly the ${names.length} changed ones are fetched whole`, often.length === 0, often);
    const others = this.#targets.filter((target) => !names.includes(target));
    const theirs = notExactlyOnce(
      others,
      served.filter((one) => one.status === 304 && !names.includes(one.target)),
    );
    this.record.claim(`pass 5: the other ${others.length} by one 304 each`, theirs.length === 0, theirs);
    const wrong = await this.#differing(results);
    this.record.claim('pass 5: all are byte-identical', wrong.length === 0, wrong);
    await origin.take();
  }

  async #absent(): Promise<void> {
    await this.#setting.origin.stop();
    await this.#untilStale();
    const results = [...(await this.#readAll()), ...(await this.#readAll())];
    this.record.note('6 origin off', results, []);
    const wrong = await this.#differing(results);
    this.record.claim('pass 6: with the origin stopped everything is still served, twice', wrong.length === 0, wrong);
  }

  async #return(): Promise<void> {
    await this.#setting.origin.start();
    const startedAt = performance.now();
    const results: ReadResult[] = [];
    const served: Served[] = [];
    const missing = new Set(this.#targets);
    while (missing.size > 0 && performance.now() - startedAt < RECOVERY_TIMEOUT_MS) {
      results.push(...(await this.#setting.reader.readAll([...missing])));
      await pause(RECOVERY_POLL_MS);
      const news = await this.#setting.origin.take();
      served.push(...news);
      for (const one of news) if (one.status === 304) missing.delete(one.target);
    }
    const tookSec = ((performance.now() - startedAt) / 1000).toFixed(1);
    this.record.note('7 origin on', results, served);
    const wrong = await this.#differing(results);
    this.record.claim('pass 7: while it comes back everything is served, byte-identical', wrong.length === 0, wrong);
    this.record.claim(`pass 7: all are refreshed again (in ${tookSec} s)`, missing.size === 0, [...missing]);
    // The question whether the origin is back may be for something that is not among these.
    const whole = served.filter((one) => one.status !== 304 && this.#targets.includes(one.target));
    this.record.claim(
      'pass 7: by 304s, no body moves',
      whole.length === 0,
      whole.map((one) => `${one.status} ${one.target}`),
    );
  }
}
