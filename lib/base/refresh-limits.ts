/** The limits of what is asked of the origin while no client waits: the refresh queue, its retries, and the pace of the origin. */
/** Requests to the origin that no client waits for and that wait for their turn; beyond: the least urgent are given up (see the refresh queue). */
export const MAX_REFRESH_QUEUE = 10_000;
/** Bytes of the requests that these hold; beyond: as above. */
export const MAX_REFRESH_QUEUE_BYTES = 8 * 1024 * 1024;
/** Longest time that one of them waits, retries included; beyond: it is given up. */
export const MAX_REFRESH_AGE_MS = 600_000;
/** Those who want to hear of the end of one of them; beyond: told at once that there is no room. */
export const MAX_REFRESH_LISTENERS = 16;
/** How often what is held back from a slow or failing origin is looked at again. */
export const REFRESH_RECHECK_MS = 250;
/** Times that the origin is asked for one key in the background, the first included: for a stale response that somebody used. */
export const MAX_STALE_TRIES = 3;
/** The same for a key with nothing stored, whose first fetch failed. */
export const MAX_COLD_TRIES = 6;
/** The same for a key that is warmed up. */
export const MAX_WARM_TRIES = 3;
/** The same for a popular response that is refreshed ahead of its expiry. */
export const MAX_AHEAD_TRIES = 2;
/** How often it is looked which responses are about to expire, to refresh the popular ones. */
export const DEMAND_TICK_MS = 250;
/** Stored responses that one such look takes in. */
export const DEMAND_STEP_COUNT = 512;
/** Least time before its expiry at which a popular response is refreshed, where it lives twice as long. */
export const AHEAD_LEAD_MIN_MS = 1_000;
/** Longest such time. */
export const AHEAD_LEAD_MAX_MS = 60_000;
/** Requests to the origin in a second that no client waits for (conf). */
export const REFRESH_RATE = 1_000;
/** The same at once (conf). */
export const REFRESH_CONCURRENCY = 32;
/** Time over which the recent latency of the origin is taken. */
export const PACE_RECENT_MS = 1_000;
/** Time over which the usual latency of the origin is learned. */
export const PACE_BASELINE_MS = 120_000;
/** Time after which what was last heard of the origin counts little. */
export const PACE_FORGET_MS = 5_000;
/** Latency that is noise: twice as long as a millisecond is no sign of anything. */
export const PACE_NOISE_MS = 20;
/** Answers from which the usual latency is learned at first, each counting the same. */
export const PACE_WARM_UP_COUNT = 16;
