/** The limits of warming: reading sitemaps, and the rounds that fill and revalidate what they list. */
/** Bytes of a sitemap, unpacked, and on the wire; beyond: refused. What the sitemap protocol allows. */
export const MAX_SITEMAP_BYTES = 50 * 1024 * 1024;
/** URLs of one sitemap, and sitemaps of one index; beyond: refused. What the sitemap protocol allows. */
export const MAX_SITEMAP_URLS = 50_000;
/** Characters of one URL in a sitemap; beyond: passed over. What the sitemap protocol allows. */
export const MAX_SITEMAP_URL_LENGTH = 2_048;
/** Sitemaps of one round, index files included; beyond: refused. */
export const MAX_SITEMAPS = 1_000;
/** Most sitemaps and hosts that the configuration may name. */
export const MAX_NAMED_SITEMAPS = 100;
/** Index files within index files, the outermost one included; beyond: refused. */
export const MAX_SITEMAP_DEPTH = 3;
/** Redirects on the way to one sitemap; beyond: refused. */
export const MAX_SITEMAP_REDIRECTS = 3;
/** Time for one sitemap to arrive, redirects included; beyond: given up. */
export const SITEMAP_FETCH_MAX_MS = 120_000;
/** Bytes of a sitemap that wait to be read; beyond: the origin is not read on. */
export const MAX_SITEMAP_QUEUED_BYTES = 256 * 1024;
/** Bytes of a sitemap that are read in one turn of the event loop: requests are answered between two. */
export const SITEMAP_STEP_BYTES = 16 * 1024;
/** Bytes of one tag, comment or CDATA section of a sitemap; beyond: refused. */
export const MAX_XML_TOKEN_BYTES = 1024 * 1024;
/** Bytes of what is read of one entry of a sitemap; beyond: refused. */
export const MAX_SITEMAP_ENTRY_BYTES = 16 * 1024;
/** Elements within each other in a sitemap; beyond: refused. */
export const MAX_XML_DEPTH = 64;
/** Layers of compression around one sitemap: the file, and the coding it is sent in. */
export const MAX_GZIP_LAYERS = 2;
/** How often, about, one lastmod has a page asked about that names a day, a month or a year. */
export const LASTMOD_LOOKS_MAX = 48;
/** URLs of a sitemap that are put beside those of the others in one turn of the event loop. */
export const WARM_MERGE_COUNT = 2_000;
/** URLs of a round that are looked up in one turn of the event loop. */
export const WARM_STEP_COUNT = 200;
/** Failures of the origin in a row after which a round leaves the rest to the next one. */
export const WARM_FAILURES_MAX = 10;
/** Share of the memory budget beyond which warming adds nothing that is not stored. */
export const WARM_ROOM_SHARE = 0.8;
/** First pause after a sitemap that could not be read for a passing reason, doubled each time up to `warm.every`. */
export const WARM_RETRY_FIRST_MS = 5_000;
/** Longest Retry-After of an answer to the request for a sitemap that is honoured. */
export const WARM_RETRY_AFTER_MAX_MS = 86_400_000;
/** How long a page whose answer may not be stored is left alone, unless its lastmod moves on. */
export const WARM_UNCACHEABLE_MS = 86_400_000;
/** How far a pace may catch up on what timers lost. */
export const WARM_BURST_MS = 50;
/** Pause between two states of the line that shows progress on a terminal. */
export const WARM_PROGRESS_MS = 200;
