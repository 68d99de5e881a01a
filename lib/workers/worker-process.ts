/** A worker and its line to the primary process. */
import { systemClock } from '../base/clock.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import type { Handle } from '../front/read-into.js';
import { Worker } from './worker.js';

const worker = new Worker({
  clock: systemClock(),
  adminToken: process.env[TOKEN_VARIABLE],
  send: (message, done) => {
    if (process.connected) process.send?.(message, undefined, undefined, done);
    else done(new Error('the primary process is gone'));
  },
  end: (exitCode) => process.exit(exitCode),
});

process.on('message', (value: unknown, handle: unknown) => worker.heard(value, handle as Handle | undefined));
// What is said before that is lost.
worker.greet();
