/** A worker and its line to the primary process. */
import { systemClock } from '../base/clock.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import type { Handle } from '../front/read-into.js';
import { Worker } from './worker.js';

const clock = systemClock();
const worker = new Worker({
  clock,
  keepUpWith: (now) => clock.keepUpWith(now),
  adminToken: process.env[TOKEN_VARIABLE],
  send: (message, done) => {
    if (process.connected) process.send?.(message, undefined, undefined, done);
    else done(new Error('the primary process is gone'));
  },
  end: (exitCode) => process.exit(exitCode),
});

process.on('message', (value: unknown, handle: unknown) => worker.heard(value, handle as Handle | undefined));
// What came with a connection that this process has no descriptor for, Node says nobody but itself: the primary process
// would wait for ever to be told that it was taken.
process.on('internalMessage', (inner: { readonly cmd?: unknown; readonly msg?: unknown }, handle: unknown) => {
  if (inner.cmd === 'NODE_HANDLE' && !handle) worker.heard(inner.msg, undefined);
});
// What is said before that is lost.
worker.greet();
