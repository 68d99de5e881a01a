/** A tunnel to a scripted origin, for tests of the front that pass requests through; both close with the test. */
import type { Test } from 'tap';
import { createTunnel } from '../../lib/origin/tunnel.js';
import { FakeClock } from '../kit/clock.js';
import type { ScriptedOrigin } from '../kit/scripted-origin.js';

export function tunnelTo(t: Test, origin: ScriptedOrigin): ReturnType<typeof createTunnel> {
  const tunnel = createTunnel({
    url: new URL(`http://127.0.0.1:${origin.port}`),
    clock: new FakeClock(),
    connections: 4,
    connectTimeoutMs: 10_000,
    headersTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
  });
  t.teardown(async () => {
    await tunnel.close();
    await origin.close();
  });
  return tunnel;
}
