/** The limits of what several processes have between them; those of one are in limits.ts. */

/** Most worker processes. */
export const MAX_WORKERS = 256;
/** How often a worker says that its event loop turns. */
export const WORKER_BEAT_MS = 1_000;
/** Beats that a worker may miss, while the primary process itself goes on; beyond: it hangs, is killed and replaced. */
export const MAX_MISSED_BEATS = 10;
/** Time that a worker gets from its fork until it serves; beyond: it is killed, and that counts as a crash. */
export const WORKER_START_TIMEOUT_MS = 30_000;
/** First pause before a worker that died is replaced, doubled at each further death of one that served shortly. */
export const WORKER_RESTART_FIRST_MS = 100;
/** Longest such pause. */
export const WORKER_RESTART_MAX_MS = 10_000;
/** A worker that served for so long before it died was sound: its replacement starts with the first pause again. */
export const WORKER_SOUND_MS = 5_000;
/** Deaths in a row of workers that were not sound, in each place and with nobody serving; beyond: the whole ends. */
export const MAX_WORKER_CRASHES = 6;
/** Longest time that a worker which was told to end gets for it; beyond: it is killed. */
export const WORKER_CLOSE_TIMEOUT_MS = 3_000;
/** Messages to one process that it has not taken yet; beyond: a worker that is told something is cut off, and one that asks does without. */
export const MAX_UNSENT_MESSAGES = 10_000;
/** Messages to a worker that has begun and does not serve yet; beyond: it ends, and another takes its place. */
export const MAX_EARLY_MESSAGES = 10_000;
/** Questions to one process that it has not answered yet; beyond: refused at once. */
export const MAX_OPEN_QUESTIONS = 10_000;
/** Time for a worker to answer what an operator wants of it; beyond: it is left out, or the operation says that it failed. */
export const WORKER_ANSWER_TIMEOUT_MS = 10_000;
/** The same for a purge or an expiry, which looks at all that is stored. */
export const WORKER_OPERATION_TIMEOUT_MS = 60_000;
/** Time for the primary process to answer who asks the origin; beyond: the worker asks it on its own. */
export const LEASE_ANSWER_TIMEOUT_MS = 1_000;
/** Longest time that a refresh waits for another worker which asks the origin; beyond: it is given up. */
export const MAX_LEASE_WAIT_MS = 600_000;
/** Leases that the workers have together; beyond: who wants one goes alone. */
export const MAX_WORKER_LEASES = 100_000;
/** Leases of a worker that died which another gives back among machines at once. */
export const MAX_ORPHANS_AT_ONCE = 100;
/** Responses of which the primary process remembers which worker has them; beyond: the oldest is forgotten. */
export const MAX_HOLDINGS = 100_000;
/** Length of their names together, in bytes; beyond: as above. */
export const MAX_HOLDINGS_BYTES = 16 * 1024 * 1024;
/** Stored responses of one worker that an operation tells from those of others; beyond: they are counted as if all had the same. */
export const MAX_COUNTED = 200_000;
/** Time for a worker to write what it said it has stored; beyond: what lies on disk is served again, however old. */
export const ANNOUNCED_MS = 10_000;
/** Responses that a worker gives to others at once; beyond: refused, and they ask the origin. */
export const MAX_RELAYS = 1_024;
/** Time until the head of a response that another worker has is here; beyond: it is not had from there. */
export const RELAY_HEAD_TIMEOUT_MS = 2_000;
/** Bytes of a request to another worker, or of the head of its answer; beyond: the relay is broken off. */
export const MAX_RELAY_HEAD_BYTES = 4 * 1024 * 1024;
/** Connections on their way to one worker that it has not taken yet; beyond: they go to another, or wait. */
export const MAX_HANDOVERS = 4;
/** Longest time that a drain waits, once all connections are on their way to workers, for the next one to be taken; beyond: workers are told to drain, and take them before they hear of it. */
export const HANDOVER_TIMEOUT_MS = 1_000;
/** Of the time of a drain, what is kept for workers to answer those whom they were given last. */
export const LAST_ANSWERS_MS = 250;
/** The same as a share of that time, where that is less. */
export const LAST_ANSWERS_SHARE = 0.25;
/** Longest line of a worker's output that is kept whole; beyond: it may be torn. */
export const MAX_OUTPUT_LINE_BYTES = 1024 * 1024;
/** Bytes that a worker with less memory than this cannot do much with: what `patina check` warns of. */
export const SMALL_WORKER_BYTES = 16 * 1024 * 1024;
/** Longest time for which what a dead worker said last is still read. */
export const LAST_WORDS_MS = 250;
