/** The options of warming: which sitemaps, how often, how fast, and how what they list is asked for. */
import { MAX_KEY_PARTS } from '../base/config-limits.js';
import { HOUR_MS, SECOND_MS } from '../base/units.js';
import { MAX_NAMED_SITEMAPS, MAX_SITEMAP_URL_LENGTH } from '../base/warm-limits.js';
import { percentage } from './durations.js';
import { custom, type Option, type Reading, section, wanted } from './kinds.js';
import { isMap } from './request-options.js';
import { choice, count, duration } from './scalars.js';
import { readHostOverride } from './values.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e]*$/;
/** What browsers send where a response is compressed; one without it would be another variant. */
const BROWSER_ENCODING = 'gzip, deflate, br, zstd';
/** Fields that say whom a request is from, to whom it goes or what its answer may be: not for what is shared by everybody. */
const NOT_FOR_ALL =
  /^(?:authorization|cookie|connection|content-.*|expect|host|if-.*|keep-alive|proxy-.*|range|te|trailer|transfer-encoding|upgrade|via|forwarded|x-forwarded-.*)$/;

function readSitemapUrl(written: unknown): Reading<string> {
  const form = 'a URL such as https://www.example.org/sitemap.xml';
  const url = typeof written === 'string' && URL.canParse(written) ? new URL(written) : undefined;
  if (typeof written !== 'string' || url === undefined || !/^https?:\/\/[^/]/i.test(written) || /\s/.test(written))
    return { problem: wanted(form, written) };
  if (url.username !== '' || url.password !== '') return { problem: `${form}, without a user name and password` };
  if (written.length > MAX_SITEMAP_URL_LENGTH)
    return { problem: `a URL of more than ${MAX_SITEMAP_URL_LENGTH} characters` };
  return { value: written };
}

function readHost(written: unknown): Reading<string> {
  const reading = readHostOverride(typeof written === 'string' ? written : '');
  return 'value' in reading
    ? { value: reading.value.toLowerCase() }
    : { problem: wanted('a host such as www.example.org or www.example.org:8080', written) };
}

/** A list of what `read` takes; a single one needs no brackets. */
function listOf(type: string, doc: string, read: (written: unknown) => Reading<string>): Option<readonly string[], ''> {
  const item = { type: 'string' };
  const schema = { anyOf: [item, { type: 'array', items: item, maxItems: MAX_NAMED_SITEMAPS }] };
  const made = custom<readonly string[]>({ type, doc, schema, default: '[]' }, (written, report) => {
    const items: readonly unknown[] = Array.isArray(written) ? written : [written];
    if (items.length > MAX_NAMED_SITEMAPS) report(`more than ${MAX_NAMED_SITEMAPS} entries`);
    return items.slice(0, MAX_NAMED_SITEMAPS).flatMap((one, index): string[] => {
      const reading = read(one);
      if ('value' in reading) return [reading.value];
      report(reading.problem, Array.isArray(written) ? [index] : []);
      return [];
    });
  });
  return { ...made, schema: made.schema.prefault([]) };
}

/** Names and values of request fields, in turn. */
function requestFields(doc: string, preset: Readonly<Record<string, string>>): Option<readonly string[], ''> {
  const schema = { type: 'object', additionalProperties: { type: 'string' }, maxProperties: MAX_KEY_PARTS };
  const made = custom<readonly string[]>({ type: '{Name: value}', doc, schema }, (written, report) => {
    if (!isMap(written)) {
      report(wanted('a map of field names and values', written));
      return undefined;
    }
    const entries = Object.entries(written);
    if (entries.length > MAX_KEY_PARTS) report(`more than ${MAX_KEY_PARTS} entries`);
    return entries.flatMap(([name, value]) => {
      if (!TOKEN.test(name)) report(wanted('the name of a header field', name), [name]);
      else if (NOT_FOR_ALL.test(name.toLowerCase()))
        report(`${name} is not for requests whose answers are for everybody`, [name]);
      if (typeof value !== 'string' || !FIELD_VALUE.test(value))
        report(wanted('the value of a header field', value), [name]);
      return [name, String(value)];
    });
  });
  return { ...made, schema: made.schema.prefault(preset) };
}

export const warm = section(
  {
    sitemaps: listOf(
      'list of URLs',
      'URLs of sitemaps, sitemap indexes, RSS 2.0 or Atom feeds, or plain lists of URLs, each gzipped or not. All come from the origin, with the host of the URL as Host, whatever that resolves to. They are read at the start and ever after, by condition; what they list is filled, and revalidated where their `lastmod` is newer than what is stored. Empty: nothing is warmed.',
      readSitemapUrl,
    ),
    hosts: listOf(
      'list of hosts',
      'Hosts, beside those of the sitemaps, whose URLs may be warmed. URLs of any other host are refused. Write the host that visitors use: it is part of the key.',
      readHost,
    ),
    scheme: choice(['listed', 'http', 'https'], {
      default: 'listed',
      doc: 'The scheme that visitors come by, which is part of the key. `listed`: that of each URL. `http`: for sitemaps that list https where what ends TLS before this proxy sends no X-Forwarded-Proto. Where it says https by Forwarded (RFC 7239) alone, visitors have keys of their own, which nothing is warmed for: have it send X-Forwarded-Proto as well.',
    }),
    every: duration({
      default: '5m',
      min: SECOND_MS,
      max: 7 * 24 * HOUR_MS,
      doc: 'Time from one reading of the sitemaps to the next. A reading in which nothing changed costs one 304 for each sitemap.',
    }),
    jitter: presetPercentage(
      '10%',
      'Share of `every` by which each pause is moved at random, up or down, so that many proxies do not ask at the same moment.',
    ),
    rate: count({
      default: '10',
      min: 1,
      max: 10_000,
      doc: 'Requests in a second for pages, at most, and within `origin.refresh`, whose budget they share.',
    }),
    concurrency: count({ default: '4', min: 1, max: 64, doc: 'Such requests at once, at most.' }),
    vanished: choice(['keep', 'expire'], {
      default: 'keep',
      doc: 'What happens to a page that a sitemap listed and lists no longer: nothing, or it is made stale, so that its next use asks the origin. Never because a sitemap could not be read, and never because of a feed, which shows its newest entries alone.',
    }),
    max_urls: count({
      default: '50000',
      min: 1,
      max: 1_000_000,
      doc: 'URLs in all; each takes some 400 bytes of memory beside the cache, and as many as it has characters. A sitemap with more than are left is refused.',
    }),
    headers: requestFields(
      'Fields of the requests by which pages are filled. Where the origin varies its answers by a field, visitors find what was filled only with the same value of it. Unless said otherwise `{Accept-Encoding: "gzip, deflate, br, zstd"}`, as browsers have it.',
      { 'Accept-Encoding': BROWSER_ENCODING },
    ),
  },
  {
    doc: 'Warming: pages that sitemaps and feeds list are fetched before visitors ask, and revalidated when they were edited.',
  },
);

function presetPercentage(written: string, doc: string): Option<number, ''> {
  const made = percentage(doc);
  return { ...made, schema: made.schema.prefault(written), meta: { ...made.meta, default: written } };
}
