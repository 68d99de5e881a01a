/** Steps that the tests of SYSTEMS.md share. */
import type { OpenProxy } from '../kit/proxy-kit.js';

/** Waits until the origin was asked `count` times and the proxy is through with each answer. */
export async function refreshed(proxy: OpenProxy, count: number): Promise<void> {
  await proxy.origin.seen(count);
  await proxy.asks.reached(count);
}
