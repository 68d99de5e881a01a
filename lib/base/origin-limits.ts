/** Limits of the client that asks the origin; those that more parts go by are in limits.ts. */

/** Fields of one field section from the origin; beyond: the answer counts as malformed, 502. */
export const MAX_RESPONSE_FIELD_COUNT = 1_000;
/** Bytes of the line with a chunk's size; beyond: the answer counts as malformed, 502. */
export const MAX_CHUNK_LINE_BYTES = 4 * 1024;
/** Bytes of all chunk extensions of one answer; beyond: the answer counts as malformed, 502. */
export const MAX_CHUNK_EXTENSION_BYTES = 16 * 1024;
/** Places for the field names of answers that are remembered, each to be taken by another name. */
export const KNOWN_NAME_PLACES = 509;
/** Longest field name that is remembered. */
export const MAX_KNOWN_NAME_LENGTH = 40;
/** Longest field value, of an answer or of a request, that is remembered beside its name. */
export const MAX_KNOWN_FIELD_VALUE_LENGTH = 128;
/** Field names of requests to the origin whose form is remembered; beyond: it starts anew. */
export const MAX_CHECKED_NAMES = 1_000;
/** Longest time for which clients hold up an answer that is not stored, while other requests wait for a connection to the origin; beyond: it is given up. */
export const MAX_HELD_UP_MS = 10_000;
/** How much sooner than the origin's Keep-Alive says, its connection is not used any more: it counts from earlier. */
export const ORIGIN_KEEP_ALIVE_MARGIN_MS = 1_000;
/** How long the event loop stays awake for what is most likely about to come, in place of sleeping until it does. */
export const BUSY_POLL_MS = 0.2;
/** What a processor that sleeps takes to come back, with whoever is to run on it. */
export const WAKE_UP_MS = 0.1;
/** Turns of the loop that this takes at most, should the clock stand still. */
export const BUSY_POLL_TURNS = 1_000;
/** Waits that are slept through, at most, before staying awake is tried again; each time that it was for nothing doubles them. */
export const MAX_BUSY_POLL_PAUSE_WAITS = 4_096;
