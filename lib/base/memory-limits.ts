/** The limits of the memory tier's objects: all that is beyond them is kept as bytes. */
/** Keys whose stored responses are objects; beyond: what was not asked for lately is bytes alone. */
export const MAX_AWAKE = 32_768;
/** The same for the smallest budget. */
export const MIN_AWAKE = 256;
/** Bytes of the budget for each such key. */
export const AWAKE_BUDGET_SHARE_BYTES = 8 * 1024;
/** As a share of these: further keys, those stored or brought back last. */
export const FRESH_SHARE = 1 / 32;
/** Of these, how many that were used are passed over in the search for one that becomes bytes. */
export const MAX_AWAKE_LOOKS = 8;
/** What many stored responses have in common, such as status and rule: combinations of it; beyond: those with another one stay objects. */
export const MAX_COMMON_TERMS = 256;
/** Of what V8 has made anew and not yet looked through, as far as it lets us say so (lib/base/collector.ts). */
export const YOUNG_BYTES = 4 * 1024 * 1024;
/** Bytes by which V8's old generation may grow from one large collection to the next, while it is small. */
export const OLD_ROOM_BYTES = 32 * 1024 * 1024;
/** As a share of what is in it, at most. */
export const MAX_OLD_GROWTH_PERCENT = 200;
/** Where that is less than this share, V8 says itself how much. */
export const MIN_OLD_GROWTH_PERCENT = 30;
/** How long a process is quiet before V8 makes its heap as small as it can be. */
export const QUIET_BEFORE_SHRINKING_MS = 10 * 60_000;
