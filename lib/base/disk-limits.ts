/** The bounds of the disk tier; all others are in limits.ts. */

/** The largest disk tier: its file is mapped into memory, and no process has room for more than a few times this. */
export const MAX_DISK_BYTES = 16 * 1024 ** 4;
/** Bytes that the system may read around a page which a lookup needs; where the device is set to more, it is told to read that page alone. */
export const MAX_DISK_READ_AROUND_BYTES = 256 * 1024;
/** Bytes of orders that go to the writer of the disk tier at once. */
export const DISK_BATCH_BYTES = 1024 * 1024;
/** Orders that go to the writer at once. */
export const DISK_BATCH_ORDERS = 512;
/** An order with a body up to this size is put into words with the next few; a larger one takes longer than an answer should wait. */
export const DISK_WORDED_AT_ONCE_BYTES = 16 * 1024;
/** Of these, put into words in one go. */
export const DISK_WORDED_TOGETHER = 8;
/** Of these, put into words in one turn where somebody waits for the disk: more would hold up requests for longer than they notice. */
export const DISK_URGENT_ORDERS = 128;
/** Put into words in one turn otherwise, at least: requests come in between. */
export const MIN_DISK_WORDED_ORDERS = 2;
/** The same, at most. */
export const MAX_DISK_WORDED_ORDERS = 8;
/** Turns over which what waits is spread, within these two. */
export const DISK_WORDED_TURNS = 32;
/** Longest time that an order for the disk tier waits for others to be written with it: each commit takes time from hits where there is one core for both. */
export const DISK_FLUSH_MS = 200;
/** Bytes that wait to be written to disk; beyond: what comes is stored in memory alone. */
export const MAX_DISK_PENDING_BYTES = 64 * 1024 * 1024;
/** Orders that wait for the disk to be writable again; beyond: all that is there is given up. */
export const MAX_DISK_PENDING_ORDERS = 100_000;
/** First pause before a disk tier that cannot be written is tried again, doubled each time. */
export const DISK_RETRY_FIRST_MS = 1_000;
/** Longest such pause. */
export const DISK_RETRY_MAX_MS = 60_000;
/** Longest time that one batch may take to be written; beyond: the disk counts as one that cannot be written. A slow one takes seconds. */
export const MAX_DISK_JOB_MS = 30_000;
/** Writes that fail over a damaged page, before the next start is to set the file aside. */
export const MAX_DISK_DAMAGED_WRITES = 3;
/** Longest time that the end of the process waits for the transaction that is being written; beyond: it ends by a signal. */
export const DISK_EXIT_WAIT_MS = 3_000;
/** Longest time that closing waits for the last writes to disk. */
export const DISK_CLOSE_TIMEOUT_MS = 5_000;
/** Bytes that the disk tier leaves free on its filesystem. */
export const DISK_RESERVE_BYTES = 16 * 1024 * 1024;
/** Share of the disk tier's size from which on what was used longest ago is evicted. */
export const DISK_EVICT_FROM_SHARE = 0.9;
/** Share of it down to which it is evicted. */
export const DISK_EVICT_TO_SHARE = 0.88;
/** The same share while the file is larger than it should be: what is free in it is used again before it grows. */
export const DISK_EVICT_TO_SHARE_OVERGROWN = 0.75;
/** Bytes by which what is in use grows for each byte of a batch, where it grows most: pages that are split are half empty, and each record stands in indexes too. */
export const DISK_GROWTH_FACTOR = 4;
/** Share of the disk tier's size by which its file is longer than it has to be for the next batch: pages that a batch changes are written elsewhere, also where it only takes away. */
export const DISK_AHEAD_SHARE = 1 / 16;
/** The same, at most. */
export const MAX_DISK_AHEAD_BYTES = 16 * 1024 * 1024;
/** Share of that which is left of the room that the filesystem was asked for before it is asked anew, where it writes elsewhere what is written over. */
export const DISK_PROMISE_SHARE = 1 / 4;
/** Bytes that a transaction is taken to write at least there, also where it adds nothing. */
export const MIN_DISK_CHANGE_BYTES = 256 * 1024;
/** Bytes by which the file grows at once: others come in between. */
export const DISK_AHEAD_STEP_BYTES = 256 * 1024;
/** Bytes that a new file may have to be written before anything is stored in it: whether they may be is tried beside it. */
export const DISK_FIRST_BYTES = 256 * 1024;
/** Stored responses on disk whose keys are looked for at once, of all that headers, cookies and forwarding fields make of one URL; beyond: what is done to the URL is done to them in steps. */
export const MAX_DISK_KEYS = 1_000;
/** Stored responses that one step of eviction, or of the sweep, takes from disk. */
export const DISK_STEP_COUNT = 256;
/** Stored responses that one batch evicts to make room for itself; beyond: it is not stored. */
export const MAX_DISK_EVICTIONS_AT_ONCE = 4_096;
/** Stored responses that one step of eviction looks at behind one whose body is being read, for some that make room at once. */
export const DISK_LOOKS_PAST_READ = 32;
/** Chunks of bodies that one step takes from disk. */
export const DISK_STEP_CHUNKS = 2_048;
/** How often the disk tier is looked at for what has expired. */
export const DISK_TIDY_EVERY_MS = 1_000;
/** Pause between two steps of that. */
export const DISK_TIDY_STEP_MS = 20;
/** Chunks of a body that go at once with its record; those of a larger one a while later, since it may just be read. */
export const DISK_CHUNKS_AT_ONCE = 4;
/** That while. */
export const DISK_DOOM_MS = 60_000;
/** How long it is believed that none of what is to go may go yet, where nothing shows that this has changed. */
export const DISK_DOOMED_SEEN_MS = 1_000;
/** How long a large body that is being read is kept from going, told again while it is read: a client may take none of it for REPLY_IDLE_TIMEOUT_MS, and it may have been told DISK_HOLD_AGAIN_MS before. */
export const DISK_HOLD_MS = 90_000;
/** How often that is told of one body. */
export const DISK_HOLD_AGAIN_MS = 20_000;
/** Bodies of which one process tells that at once; beyond: those of which it was told longest ago are not kept. */
export const MAX_DISK_HOLDS = 4_096;
/** How long after its time a body stays at most, because it is being read: 4 GB at 10 Mbit/s. */
export const DISK_HELD_MAX_MS = 3_600_000;
/** How long after its last chunk a body whose response never came is given up. */
export const DISK_ORPHAN_MS = 600_000;
/** A use is noted on disk where the last one was noted longer ago than this. */
export const DISK_USE_STALE_MS = 600_000;
/** How long it is believed that the file of the disk tier has nothing under a key: what another process writes waits longer until it can be seen. */
export const DISK_ABSENT_MS = 100;
/** How long a look for what may answer a request sees the file as it was: what another process writes meanwhile waits longer until it can be seen. */
export const DISK_MOMENT_MS = 50;
/** Keys of which that is remembered; beyond: some are looked for anew. */
export const MAX_DISK_ABSENT = 512;
/** Charged for the records of variants that were read last, which are kept for who looks at their keys next; beyond: the oldest go. */
export const MAX_DISK_RECENT_RECORD_BYTES = 4 * 1024 * 1024;
/** What one of them takes beside its bytes. */
export const RECENT_RECORD_BYTES = 1024;
/** How long a use waits to be noted where nothing else is written. */
export const DISK_USE_FLUSH_MS = 1_000;
/** Uses that wait to be noted on disk; beyond: they go unnoted. */
export const MAX_DISK_PENDING_USES = 1_000;
/** A body up to this size stands with its record, and is found with it; what is above goes into pages of its own. */
export const DISK_INLINE_BODY_BYTES = 3 * 1024;
/** A body up to this size is read from disk at once and promoted to memory; a larger one is read piece by piece. */
export const PROMOTE_BODY_BYTES = 256 * 1024;
/** Hashes of keys that were found on disk once of late, four bytes each; a power of two. */
export const DOORKEEPER_PLACES = 8 * 1024;
/** Share of memory up to which what is found on disk is promoted at its first use; beyond: at the second. */
export const PROMOTE_AT_ONCE_SHARE = 0.8;
/** A part of a body up to this size is kept on disk; a larger one in memory alone. */
export const MAX_DISK_PART_BYTES = 1024 * 1024;
/** Chunks of a body that are fetched ahead of its reader. */
export const DISK_READ_AHEAD_CHUNKS = 4;
/** What was read last of large bodies is kept for who reads the same body behind: as much as so large a share of the memory tier, beside it. */
export const DISK_SHARED_SHARE = 0.25;
/** The same, at most: eight clients that take 200 MB at their own pace find all of it there. */
export const MAX_DISK_SHARED_BYTES = 256 * 1024 * 1024;
/** How long they are kept where nobody reads. */
export const DISK_SHARED_CHUNKS_MS = 1_000;
/** A body larger than this goes to disk as it arrives, and is not held in memory. */
export const SPILL_FROM_BYTES = 4 * 1024 * 1024;
/** Bytes of such a body by which the disk may be behind the origin, before the origin is asked to pause. */
export const SPILL_WINDOW_BYTES = 8 * 1024 * 1024;
/** Stored responses in the list of what is asked for most. */
export const MAX_HOT_KEYS = 10_000;
/** Bytes of that list. */
export const MAX_HOT_LIST_BYTES = 1024 * 1024;
/** How often that list is written. */
export const HOT_SAVE_EVERY_MS = 30_000;
/** Places of memory that one step of making the list looks at. */
export const HOT_SCAN_STEP_COUNT = 2_000;
/** Pause between two steps of making the list, or of reading what it names. */
export const HOT_STEP_DELAY_MS = 10;
/** Stored responses that one step brings from disk to memory after a start. */
export const HOT_READ_STEP_COUNT = 8;
/** Share of memory beyond which nothing more is brought there after a start: the rest is for what is asked for now. */
export const HOT_FILL_SHARE = 0.8;
/** Longest time that another process has to try whether the file of the disk tier can be opened. */
export const DISK_PROBE_TIMEOUT_MS = 10_000;
/** How often a start looks again where the file or its lock cannot be had as they are: another process may be opening or writing it just then. */
export const DISK_LOOKS = 25;
/** Pause between two such looks, in which the process does nothing. */
export const DISK_LOOK_PAUSE_MS = 20;
/** How long a process that dies counts as having died young, from when it has the file of the disk tier. */
export const DISK_YOUNG_MS = 60_000;
/** Processes that die young, one after another, before one more is to look through the file. */
export const MAX_DISK_YOUNG_DEATHS = 2;
/** Longest time that it looks: what lies beyond that in a large file stays unseen. */
export const DISK_LOOK_MS = 60_000;
/** Entries of each table that a process reads that tries no more than to open it. */
export const MAX_DISK_PROBED = 10_000;
/** Such processes that die before the file is set aside. */
export const MAX_DISK_PROBES_DEAD = 2;
/** Stored responses that may change while the disk tier cannot be had, and operations on many; beyond: what is on it is given up. */
export const MAX_DISK_MISSED = 100_000;
/** The same for operations on many. */
export const MAX_DISK_MISSED_REACHES = 1_000;
/** Stored responses that are brought in line at once, when the disk tier is there again. */
export const DISK_MISSED_STEP_COUNT = 256;
/** By how much the thread that writes to disk stands back for others. */
export const DISK_THREAD_NICE = 10;
/** How long that thread works at a stretch, as far as it can choose: it cannot within a commit. */
export const DISK_STRETCH_MS = 0.3;
/** For how long it then leaves the core to others. */
export const DISK_BREATH_MS = 0.05;
/** The heap of the thread that writes to disk: what it works on are buffers outside of it. */
export const DISK_THREAD_HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 } as const;
/** How often whoever waits until all is on disk waits anew, because some of it was put off behind what came later. */
export const DISK_SETTLE_ROUNDS = 8;
/** Age from which on a file that a start makes under another name first counts as left by one that was killed. */
export const DISK_HALF_MADE_MS = 60_000;
