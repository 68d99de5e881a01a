/**
 * Every bound of the process that is not a setting of its own: what it is, its default, and what happens beyond it. Those
 * of one part alone are in the files beside this one: `warm-limits.ts` and so on.
 * The `limits` section of the conf file overrides those marked (conf).
 */

/** Bytes of a request line's target; beyond: 414 (conf). */
export const MAX_TARGET_BYTES = 8 * 1024;
/** Bytes of a request's field section; beyond: 431 (conf). */
export const MAX_REQUEST_FIELDS_BYTES = 32 * 1024;
/** Field lines of a request; beyond: 431 (conf). */
export const MAX_REQUEST_FIELD_COUNT = 100;
/** Bytes of a response's field section from the origin; beyond: the answer counts as malformed, 502. */
export const MAX_RESPONSE_FIELDS_BYTES = 64 * 1024;
/** Time for a client to send its request head; beyond: 408 (conf). */
export const REQUEST_HEAD_TIMEOUT_MS = 10_000;
/** Time without a byte of a request body; beyond: 408 where nothing was answered yet, else the connection ends (conf). */
export const BODY_IDLE_TIMEOUT_MS = 30_000;
/** Time that a client may take no byte of a reply; beyond: the connection ends (conf). */
export const REPLY_IDLE_TIMEOUT_MS = 60_000;
/** Time that an idle client connection stays open (conf). */
export const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Client connections at once; beyond: 503 and the end of the connection (conf). */
export const MAX_CONNECTIONS = 20_000;
/** Requests that wait on one fill; beyond: 503 (conf). */
export const MAX_WAITERS_PER_FILL = 10_000;
/** Time that a request waits on another's fill; beyond: stale where that is allowed, else 504 (conf). */
export const MAX_WAIT_MS = 30_000;
/** Fills that others may join at once; beyond: requests go to the origin uncollapsed. */
export const MAX_FILLS = 10_000;
/** An answer of the origin that is here at once is stored and sent on in one step up to this size. */
export const STORE_AT_ONCE_BYTES = 64 * 1024;
/** Stored variants of one key, in each tier; beyond: the oldest goes. Told in the README (`normalize`). */
export const MAX_VARIANTS = 64;
/** Remembered keys whose responses are uncacheable (hit-for-miss); beyond: the oldest goes. */
export const MAX_MARKERS = 10_000;
/** How long an uncacheable key is remembered. */
export const MARKER_TTL_MS = 10_000;
/** Bytes held for a reader that is slower than its source, where nothing is stored. */
export const FLOW_WINDOW_BYTES = 1024 * 1024;
/** A stored body up to this size is joined to one piece once complete, so that a hit is one write. */
export const JOIN_BODY_BYTES = 256 * 1024;
/** Longest time that a drain waits for running requests (conf). */
export const DRAIN_TIMEOUT_MS = 10_000;
/** First pause after a failed refresh of one key, doubled at each further failure. */
export const BACKOFF_FIRST_MS = 1_000;
/** Longest such pause. */
export const BACKOFF_MAX_MS = 60_000;
/** Longest Retry-After that is believed. */
export const RETRY_AFTER_MAX_MS = 300_000;
/** Failures in a row of one key with nothing stored, from which on it is asked by the clock alone. */
export const COLD_FAILURES_BEFORE_BACKOFF = 3;
/** Failures in a row to reach the origin that open the breaker. */
export const BREAKER_FAILURES = 5;
/** Requests that may wait for a connection to the origin; beyond: 503. */
export const MAX_ORIGIN_QUEUE = 10_000;
/** Bytes of log lines that go to the destination in one write. */
export const LOG_BATCH_BYTES = 256 * 1024;
/** Pieces of memory for log lines that are kept while nothing is in them: one is filled while another is written. */
export const MAX_SPARE_LOG_BATCHES = 2;
/** Answered requests whose log lines are made together. */
export const LOG_LINES_TOGETHER = 64;
/** Longest time that a log line waits for others to be written with it. */
export const LOG_FLUSH_MS = 200;
/** Log lines of faults of our own within the time below; beyond: they are counted alone. */
export const MAX_FAULT_LINES = 20;
export const FAULT_LINES_MS = 10_000;
/** The same for lines that a person is watching. */
export const LOG_FLUSH_WATCHED_MS = 30;
/**
 * Memory of log lines that wait or are being written while their destination is full, blocked or failing, beside the batch
 * that is being filled; beyond: lines are dropped and counted.
 */
export const MAX_LOG_PENDING_BYTES = 8 * 1024 * 1024;
/** Pause before a failed write of log lines is tried again. */
export const LOG_RETRY_MS = 1_000;
/** The same where the destination is only busy for a moment (a pipe whose reader is slower). */
export const LOG_BUSY_RETRY_MS = 20;
/** Longest time that closing waits for the last log lines to be written. */
export const LOG_CLOSE_TIMEOUT_MS = 2_000;
/** How often closing writes the last log lines again, at once, to a destination that is only busy. */
export const LOG_LAST_TRIES = 1_000;
/** Rules that are counted by name; beyond: counted together as `other`. */
export const MAX_RULE_LABELS = 1_000;
/** Notice codes that are counted by name; beyond: counted together as `other`. */
export const MAX_NOTICE_LABELS = 200;
/** Places for the durations of last full fetches, to tell what a 304 saved; of two keys in one place the newer stays. */
export const TIMED_KEYS = 16_384;
/** Further requests without conditions that one fill may send after a 304 that concerns nothing stored. */
export const MAX_REPEATS_PER_FILL = 1;
/** Bytes by which the reservation of a fill of unknown length grows. */
export const RESERVE_STEP_BYTES = 64 * 1024;
/** Times that one request looks up again after a fill that it waited on turned out to be another variant; beyond: it goes alone. */
export const MAX_LOOKUPS_PER_REQUEST = 4;
/** Clients that are given, one after another, what comes from another worker and is not kept here, before the rest of those who wait for it wait until one of them has all. */
export const MAX_COPIES_AT_ONCE = 32;
/** Members of a Range field; beyond: the field is ignored and the whole representation is sent. */
export const MAX_RANGES = 64;
/** Fields that a Vary may name; beyond: it counts as `*`. */
export const MAX_VARY_NAMES = 32;
/** Entity-tags of stored variants in one If-None-Match; beyond: the oldest variants go unmentioned. */
export const MAX_SENT_ENTITY_TAGS = 32;
/** Bytes of one If-None-Match that we make, below what origins take for a field; beyond: as above. */
export const MAX_SENT_ENTITY_TAG_BYTES = 4 * 1024;
/** Values of one negotiation field whose normal form is remembered; beyond: all are forgotten at once. */
export const MAX_NORMAL_FORMS = 512;
/** Longest such value that is remembered. */
export const MAX_NORMAL_FORM_BYTES = 256;
/** Share of the memory budget from which on stored responses are pruned in the background. */
export const PRUNE_FROM_SHARE = 0.85;
/** Share of the memory budget that fills in flight may charge together; beyond: they stream through unstored. */
export const RESERVE_MAX_SHARE = 0.5;
/** Share of the memory budget that only freshened records may use, whose fields grew; so that a 304 works with a full cache. */
export const FRESHEN_HEADROOM_SHARE = 1 / 64;
/** Stored responses that one step of pruning evicts. */
export const PRUNE_STEP_COUNT = 64;
/** Bytes from which on one step of pruning ends. */
export const PRUNE_STEP_BYTES = 16 * 1024 * 1024;
/** Pause between two steps of pruning or of the sweep. */
export const STORE_STEP_DELAY_MS = 2;
/** Pause behind a step of such work that broke. */
export const STEP_AGAIN_MS = 1_000;
/** Stored responses that one put or reservation may evict at once; beyond: it is refused, and pruning goes on. */
export const MAX_EVICTIONS_AT_ONCE = 2_000;
/** Used responses that the search for one victim passes over; beyond: it takes the next one, used or not. */
export const MAX_EVICTION_LOOKS = 64;
/** The same among responses whose grace has ended, before one of the others is looked for. */
export const MAX_PAST_GRACE_LOOKS = 8;
/** Stored responses that clients take just now of which the search for one victim puts the turn off; beyond: none is found, and the next search goes on from there. As many others are passed over in the search for one that they take. */
export const MAX_TAKEN_LOOKS = 256;
/** Of those whose turn was put off, at most so many of each kind are looked at before each victim, whether clients have them by now. */
export const MAX_PUT_OFF_LOOKS = 4;
/** Share of the memory budget that fills of large bodies may bring what clients take to; beyond: they stream through unstored. What is stored and taken beyond it gives way. */
export const TAKEN_MAX_SHARE = 0.75;
/** Share of the memory budget from which on a body is large. */
export const LARGE_SHARE = 1 / 64;
/** How often the store looks for responses whose grace or keep has ended. */
export const SWEEP_EVERY_MS = 1_000;
/** Stored responses that one step of the sweep looks at. */
export const SWEEP_STEP_COUNT = 512;
/** Share of the slabs of small stored responses that may be waste; beyond: responses are moved together. */
export const PACK_WASTE_SHARE = 1 / 4;
/** Bytes of waste in slabs that are never worth the moving. */
export const PACK_WASTE_BYTES = 4 * 1024 * 1024;
/** Stored responses that one step of this looks at. */
export const PACK_STEP_COUNT = 256;
/** Length of the keys of all hit-for-miss markers together, in bytes; beyond: the oldest goes. */
export const MAX_MARKERS_BYTES = 1024 * 1024;
/** Keys whose failures are counted for backoff; beyond: the oldest goes. */
export const MAX_FAILING_KEYS = 10_000;
/** Length of these keys together, in bytes; beyond: the oldest goes. */
export const MAX_FAILING_KEYS_BYTES = 1024 * 1024;
/** How long after its retry was due a failing key is remembered without being asked for. */
export const FAILURE_FORGOTTEN_AFTER_MS = 600_000;
/** Longest freshness that is guessed from Last-Modified (RFC 9111 §4.2.2); a longer guess counts as this. */
export const HEURISTIC_TTL_MAX_MS = 7 * 86_400_000;
/** Time that a request waits for a connection to the origin; beyond: 503. */
export const MAX_ORIGIN_QUEUE_WAIT_MS = 30_000;
/** Times that a request is repeated because a reused connection to the origin died before the first byte of an answer. */
export const MAX_REUSE_RETRIES = 1;
/** Interim responses before one final response of the origin; beyond: the answer counts as malformed, 502. */
export const MAX_INTERIM_RESPONSES = 32;
/** Time that an idle connection to the origin stays open, where the origin's Keep-Alive asks for nothing shorter. */
export const ORIGIN_KEEP_ALIVE_MS = 30_000;
/** Age from which on a connection to the origin takes one last request, so that its name is looked up anew. */
export const ORIGIN_CONNECTION_TTL_MS = 60_000;
/** First time that the breaker stays open, doubled at each probe that fails. */
export const BREAKER_OPEN_FIRST_MS = 1_000;
/** Longest such time. */
export const BREAKER_OPEN_MAX_MS = 30_000;
/** Share by which the time that the breaker stays open is moved at random, up or down. */
export const BREAKER_JITTER = 0.2;
/** Time that a breaker due for a probe waits for a request to be it, before it sends its own. */
export const BREAKER_IDLE_PROBE_MS = 500;
/** Time that an idle connection of the pass lane stays open: shorter than what origins usually wait, for its requests cannot all be repeated. */
export const PASS_KEEP_ALIVE_MS = 4_000;
/** Time without a byte in either direction after which a tunnel (Upgrade) is closed. */
export const TUNNEL_IDLE_TIMEOUT_MS = 600_000;
/** How often client connections are looked at for idle ones: the precision of every timeout of the front. */
export const CONNECTION_SWEEP_MS = 1_000;
/** Behind the last word to a client: how long it is waited for while it sends nothing and does not end its side. */
export const LINGER_MS = 2_000;
/** The same for one that sends on. */
export const MAX_LINGER_MS = 30_000;
/** Bytes of it that are read and dropped; beyond: cut off. So many, too, of the rest of a request whose reply has come before its end; beyond: not read before that reply is out. */
export const MAX_LINGER_BYTES = 16 * 1024 * 1024;
/** Bytes from a client that are read and dropped while its last reply is still going out; beyond: not read before that is out. */
export const MAX_SURPLUS_BYTES = 1024 * 1024;
/** Longest such time during a drain. */
export const DRAIN_LINGER_MS = 250;
/** Connections beyond the most that are told so with a 503 at once; beyond these: closed without a word. So many more than the most, too, may wait for a worker. */
export const MAX_REFUSED_CONNECTIONS = 256;
/** Connections that the kernel may hold before they are accepted; it has a bound of its own, often lower. */
export const LISTEN_BACKLOG = 4_096;
/** Connections that come at once, one in each turn of the event loop, and are let in before any of them is served; beyond: those who are in are, and then the next so many. */
export const MAX_ADMITTED_AT_ONCE = 128;
/** Longest time that those who are in wait for them. */
export const MAX_HOLD_MS = 20;
/** How long a worker that is to be handed another connection waits for it, before it serves those who are in. */
export const HANDED_GAP_MS = 5;
/** A turn of the event loop that accepts one connection and serves nobody takes no longer, beside what it reads; where one does, by what else there is, nobody is kept waiting. */
export const SHORT_TURN_MS = 1;
/** What it takes to read one request and hold it. */
export const HELD_READ_MS = 0.02;
/** A reply's body up to this size is written at once; a larger one piece by piece, as the client takes it. */
export const WRITE_AT_ONCE_BYTES = 1024 * 1024;
/** Largest piece of such a body. */
export const WRITE_PIECE_BYTES = 1024 * 1024;
/** A body that still arrives, up to this size, is waited for until the end of the turn in which its head came. */
export const DIRECT_BODY_BYTES = 64 * 1024;
/** A body up to this size is copied behind its head, to be written as one buffer. */
export const ONE_BUFFER_BYTES = 16 * 1024;
/** Bytes of a body that still arrives that are taken for a client in one go. */
export const FOLLOW_PIECE_BYTES = 256 * 1024;
/** Unsent bytes of a connection beyond which interim responses to it are left out. */
export const MAX_UNSENT_BEFORE_INTERIM_BYTES = 64 * 1024;
/** Times that one fill asks for the rest of a body that broke off. */
export const MAX_RESUMES_PER_FILL = 2;
/**
 * Clients of one key that were given, each at its own pace, what another process had, and for whom the origin is asked for the rest
 * at once where that breaks off; beyond, they see the break: together they would be a herd.
 */
export const MAX_COPIES_GOING_ON = 8;
/** Requests of one connection that may be in work at once (RFC 9112 §9.3.2); beyond: 503, and the connection ends. */
export const MAX_PIPELINED_REQUESTS = 256;
/** Request targets that the fast lane keeps as text; a power of two. */
export const KEPT_TARGETS = 4096;
/** Longer ones are not kept. */
export const KEPT_TARGET_BYTES = 128;
/** Bytes of the one buffer that all plain connections to the origin are read into while answers are small. */
export const ORIGIN_READ_BYTES = 64 * 1024;
/** Bytes that one read of a large body takes at most, and that a connection to the origin reads ahead. */
export const ORIGIN_LARGE_READ_BYTES = 256 * 1024;
/** Buffers of this size that nobody needs just now and that are kept for the next large body; beyond: garbage. */
export const MAX_SPARE_READ_BUFFERS = 8;
/** Bytes of the one buffer that all connections of the fast lane are read into. */
export const READ_BUFFER_BYTES = 64 * 1024;
/** Bytes of a request head that the fast lane waits for; what grows beyond goes to the full lane. */
export const MAX_HELD_HEAD_BYTES = 16 * 1024;
/** Bytes of replies that wait for those before them, beyond which no further request of the connection is begun. */
export const MAX_UNSENT_BEFORE_PAUSE_BYTES = 1024 * 1024;
/** Field names whose form the reply writer remembers; beyond: it starts anew. */
export const MAX_KNOWN_FIELD_NAMES = 1_000;
/** Field names that are kept in lower case, a power of two, and the length of the longest. */
export const KEPT_LOWER_NAMES = 256;
export const MAX_KEPT_NAME_LENGTH = 40;
/** Values of one field whose meaning is remembered, and the length of the longest; beyond: it starts anew, or is read each time. */
export const MAX_KNOWN_VALUES = 1_000;
export const MAX_KNOWN_VALUE_LENGTH = 200;
/** Separate parts of one response that are kept; beyond: they start anew with the newest. */
export const MAX_PARTS = 64;
/** Time past its freshness for which a body that still arrives, and that nobody reads, is received for the store. */
export const UNREAD_BODY_MAX_MS = 60_000;
/** Longest time that closing waits for exchanges with the origin that nobody waits for any more. */
export const ORIGIN_CLOSE_TIMEOUT_MS = 1_000;
/** Turns of the event loop, behind the last that accepted something, before a drain closes connections: one to read it, one for what was held meanwhile, one for what runs now. */
export const TURNS_BEFORE_DRAIN = 3;
/** Longest time that these go on where clients come all the time. */
export const MAX_ACCEPTS_BEFORE_DRAIN_MS = 1_000;
/** The same as a share of the time of the whole drain, where that is less: the rest is for answers. */
export const ACCEPTS_SHARE_OF_DRAIN = 0.5;
/** Keys that unusual X-Forwarded-Host and -Proto fields made of their targets, known so that a purge reaches them; beyond: what is stored under the oldest goes. */
export const MAX_ALIASES = 10_000;
/** Length of these keys together, in bytes; beyond: as above. */
export const MAX_ALIASES_BYTES = 1024 * 1024;
/** How long a connection rests during a drain before it is closed, so that a request which is on its way to it is still answered. */
export const DRAIN_REST_MS = 250;
/** Pass lanes to an earlier origin that may still have something running, kept after reloads. */
export const MAX_RETIRED_TUNNELS = 8;
/** Bytes of the content of a POST that its rule caches, since it is part of the key; beyond: it goes past the cache. */
export const MAX_KEYED_CONTENT_BYTES = 64 * 1024;
/** How deep arrays and objects may stand in each other in JSON that is sorted for the key; beyond: byte for byte. */
export const MAX_KEYED_JSON_DEPTH = 64;
/** Longest key; what makes a longer one goes past the cache. */
export const MAX_KEY_LENGTH = 32_768;
/** Stored responses that one step puts under new rules after a reload. */
export const RELIFE_STEP_COUNT = 1000;
/** Tags purged or expired while one answer is on its way that are held against its head; beyond: it counts as purged. */
export const MAX_TAGS_PER_FATE = 1_000;
/** Operations during one exchange of which it is known what they mean of what others have; beyond: each means all of it. */
export const MAX_MEANINGS_PER_FATE = 16;
/** Stored responses that one step of an operation looks at; between two steps requests are answered. */
export const OPERATION_STEP_COUNT = 1_000;
/** The same of what is below memory, where a look costs more. */
export const OPERATION_BELOW_STEP_COUNT = 200;
/** Requests to the origin that the refresh operations of an operator have running together. */
export const MAX_OPERATION_REFRESHES = 8;
/** Refresh operations at once; beyond: refused until one has ended. */
export const MAX_REFRESH_OPERATIONS = 16;
/** Longest explanation in a header field. */
export const MAX_EXPLANATION_BYTES = 4096;
/** Works that clients were told to come back for and that are remembered at once; beyond, the oldest are forgotten. */
export const MAX_ACCEPTED = 10_000;
/** For how long the status of such a work can be asked for after it began. */
export const ACCEPTED_TTL_MS = 3_600_000;
/** Times that one fill asks for its lease, or looks below, before it asks the origin without one. */
export const MAX_LEASE_ROUNDS = 16;
