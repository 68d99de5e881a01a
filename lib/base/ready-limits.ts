/** The limits of the replies that are kept ready. */
/** Targets whose reply is kept ready as it is; beyond: others go without until one of these is not asked for any more. */
export const MAX_READY_REPLIES = 16_384;
/** The same where memory keeps the fewest objects. */
export const MIN_READY_REPLIES = 128;
/** As a share of the keys whose responses stay objects: those that are kept ready must stay so, beside others that are used. */
export const READY_SHARE = 1 / 2;
/** Hosts that such targets are of; beyond: as above. */
export const MAX_READY_HOSTS = 1_024;
/** How often those are looked through for what was not asked for since, or is not stored any more. */
export const READY_PRUNE_MS = 1_000;
/** So often one that was not asked for is left in place. */
export const READY_IDLE_PRUNINGS = 3;
/** A reply that goes out as it is stored has a head up to this size; others are made of their fields. */
export const MAX_HEAD_AS_STORED_BYTES = 8 * 1024;
/** A reply's body up to this size is kept behind its head, as one piece for one write. */
export const READY_BODY_BYTES = 4 * 1024;
/** The largest reply that is put together in one piece at each request, head and body: to copy so much costs less than a write of two pieces. */
export const MAX_ONE_PIECE_BYTES = 24 * 1024;
/**
 * What was asked for so often between two prunings is kept ready from then on. To make an entry, and to collect it later, costs
 * as much as some five hits without one, and it takes a few kilobytes for as long as it is kept.
 */
export const READY_ASKED_TIMES = 8;
/** Places to count that in, by hash: two keys that share one are counted together. */
export const READY_COUNT_PLACES = 128 * 1024;
