/** The process of a worker: deaf to signals that are none of its business before it does anything else. */
import { tuneCollector } from '../base/collector.js';

// A terminal, or whoever manages services, sends these to all processes: the primary one says what they mean.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
// How many there are, the primary process has said on the command line (fork.ts).
tuneCollector(1);
// What is imported outright would be read before that.
await import('./worker-process.js');
