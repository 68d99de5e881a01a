/**
 * What there is by slot of a stored response, as numbers of 32 bits side by side: a hit on what is seldom asked for reads most of
 * them, and finds each in a line of the processor's cache that nothing has asked for lately. In columns apart that was one such line for each.
 */

/** The slab of each part that lies in one (packing.ts), then the place and the length of each in it. */
export const PARTS = 3;
/** The slot of the next variant of the same key, plus one. */
export const NEXT = PARTS * 2;
/** What it has in common with others (asleep-terms.ts), and whether there is an object for its body all the same. */
export const TERMS = NEXT + 1;
/** Uses in all; what replaces a response goes on counting. */
export const HITS = TERMS + 1;
/** Uses since the slot was last considered for eviction. */
export const USES = HITS + 1;
/** Number of the eviction list that the slot is in, and whether it is in use. */
export const PLACE = USES + 1;
/** Hash of the key. */
export const HASH = PLACE + 1;

export const ROW_WIDTH = HASH + 1;
