/** The bounds of the tier that machines share: as in limits.ts, what each is, its default, and what happens beyond it. */

/** Longest time to open a connection to the shared tier. */
export const SHARED_CONNECT_TIMEOUT_MS = 2_000;
/** Longest time until one of several servers has been reached, has greeted and takes commands; beyond: it counts as gone, and is told of. */
export const SHARED_LINK_TIMEOUT_MS = 5_000;
/** Longest time that a start waits for what other machines did meanwhile: nothing that they have purged is served from disk by then. */
export const SHARED_START_MS = 1_000;
/** First pause before a connection to the shared tier is tried again, doubled each time. */
export const SHARED_RECONNECT_FIRST_MS = 50;
/** Longest such pause. */
export const SHARED_RECONNECT_MAX_MS = 1_000;
/** Redirections (MOVED, ASK) and retries of one command to a Cluster. */
export const SHARED_REDIRECTS_MAX = 16;
/** Keys that one step through the shared tier looks at. */
export const SHARED_SCAN_COUNT = 1_000;
/** How long the shared log of operations outlasts the last machine that read it: what a rule keeps for longer than that may outlast the log. */
export const SHARED_LOG_LIFE_MS = 365 * 86_400_000;
/** Entries of the shared log of operations, about; beyond: the oldest go, and what is older counts as stale. */
export const MAX_SHARED_LOG = 10_000;
/** Names in the shared index of one tag; beyond: those that expire first go, and are purged by the log alone. */
export const MAX_SHARED_TAG_NAMES = 100_000;
/** Commands to the shared tier at once; beyond: as if it were not there. */
export const MAX_SHARED_COMMANDS = 10_000;
/** Failures in a row from which on the shared tier counts as gone. */
export const SHARED_FAILURES = 5;
/** Looks in a row, SHARED_LOG_EVERY_MS apart, that find refusals before it is told: of a tier that is just going away that is told instead. */
export const SHARED_REFUSING_LOOKS = 3;
/** Time without a refusal after which the shared tier counts as one that refuses nothing. */
export const SHARED_QUIET_MS = 30_000;
/** First pause before the shared tier that is gone is tried again, doubled each time. */
export const SHARED_PROBE_FIRST_MS = 200;
/** Longest such pause. */
export const SHARED_PROBE_MAX_MS = 2_000;
/** Longest wait for an answer that no client waits for: a write, a further chunk, the log. */
export const SHARED_BACKGROUND_TIMEOUT_MS = 1_000;
/** Tries of the shared tier that fail before its connections are made anew, and times of SHARED_LINK_TIMEOUT_MS. */
export const SHARED_HUNG_PROBES = 3;
/** Bytes of one chunk of a body in the shared tier. */
export const SHARED_CHUNK_BYTES = 256 * 1024;
/** Bodies up to this size are read whole from the shared tier before anybody is told of them; larger ones as they are read. */
export const SHARED_WHOLE_BYTES = 1024 * 1024;
/** Chunks of one body that are read ahead of who reads it. */
export const SHARED_CHUNKS_AHEAD = 2;
/** Bytes of bodies that wait to be written to the shared tier; beyond: the response is not shared. */
export const MAX_SHARED_PENDING_BYTES = 64 * 1024 * 1024;
/** Responses that wait to be written to the shared tier; beyond: as above. */
export const MAX_SHARED_PENDING = 10_000;
/** Responses that are being written to the shared tier at once. */
export const MAX_SHARED_WRITES = 32;
/** Bytes of one published message; beyond: it names the response, and leaves its record out. */
export const MAX_SHARED_NEWS_BYTES = 16 * 1024;
/** Operations that wait for the shared tier to come back; beyond: all that others hold counts as stale. */
export const MAX_SHARED_PENDING_OPS = 10_000;
/** Entries of the shared log that are read in one step. */
export const SHARED_LOG_PAGE = 1_000;
/** How often the shared log is read for what was not heard. */
export const SHARED_LOG_EVERY_MS = 1_000;
/** For how long a purged key refuses what was asked for before the purge. */
export const SHARED_TOMB_MS = 3_600_000;
/** Keys that visitors' requests have invalidated and that are not purged in the shared tier yet; beyond: the oldest are left to what the others were told. */
export const MAX_SHARED_TOMBS = 10_000;
/** Of these so many are purged in one step. */
export const SHARED_TOMBS_AT_ONCE = 64;
/** Time from one such step to the next. */
export const SHARED_TOMB_STEP_MS = 50;
/** Leases that could not be given back; beyond: the oldest are left to lapse. */
export const MAX_SHARED_OWED = 10_000;
/** For how long nobody asks for the lease of a key whose responses are not shared. */
export const SHARED_ALONE_MS = 60_000;
/** What is asked for within this time after an operation of another machine counts as before it: clocks differ a little. */
export const SHARED_CLOCK_MARGIN_MS = 20;
/** How long a measurement of the shared tier's clock is believed, where no better one comes. */
export const SHARED_CLOCK_TTL_MS = 30_000;
/** Keys whose removal from the shared tier runs at once in one operation. */
export const SHARED_SWEEP_AT_ONCE = 16;
