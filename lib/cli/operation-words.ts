/** What a person reads of the answers of the admin listener. */
import { formatDuration, formatSize } from '../base/units.js';

type Content = Readonly<Record<string, unknown>>;

interface Told {
  readonly lines: readonly string[];
  readonly exitCode: 0 | 1;
}

function whatIsNamed(named: Readonly<Record<string, string>>): string {
  const [kind = '', value = ''] = Object.entries(named)[0] ?? [];
  if (kind === 'prefix') return `URLs that begin with ${value}`;
  return kind === 'tag' ? `the tag ${value}` : value;
}

/** A key says by which scheme the client came, so it is the first thing to look at where nothing is found. */
const SCHEME_HINT =
  'A URL has the scheme and the host that clients use: https where X-Forwarded-Proto says so. `patina list` shows them.';

function nothing(named: Readonly<Record<string, string>>): Told {
  return {
    lines: [`nothing is stored for ${whatIsNamed(named)}`, ...('tag' in named ? [] : [SCHEME_HINT])],
    exitCode: 1,
  };
}

export function countsLine(did: string, named: Readonly<Record<string, string>>, content: Content): Told {
  const { objects, fills, pending } = content;
  if (objects === 0 && fills === 0 && pending === undefined) return nothing(named);
  const flying = fills === 0 ? '' : `, and ${fills} on their way from the origin`;
  const later = Array.isArray(pending) ? pending.map((tier) => PENDING[String(tier)] ?? `not yet in ${tier}`) : [];
  return { lines: [`${did} ${objects} for ${whatIsNamed(named)}${flying}`, ...later], exitCode: 0 };
}

const PENDING: Readonly<Partial<Record<string, string>>> = {
  disk: 'not yet on disk, which cannot be written or had just now: it is done there once that is possible, unless the proxy ends before',
  shared:
    'other machines are not told yet, for the shared tier cannot be reached: they are once it can be, unless the proxy ends before',
};

const GOOD_ENDS: readonly string[] = ['not-modified', 'stored'];

export function refreshLine(
  named: Readonly<Record<string, string>>,
  order: { readonly wait: boolean; readonly fill: boolean },
  { objects, ended, over }: Content,
): Told {
  const ends = Object.entries((ended ?? {}) as Content);
  if (objects === 0 && !order.fill) return nothing(named);
  const count = objects === 0 ? 1 : objects;
  if (!order.wait) return { lines: [`refreshing ${count} for ${whatIsNamed(named)}`], exitCode: 0 };
  const how = ends.map(([end, number]) => `${number} ${end}`).join(', ');
  const isGood = over === true && ends.every(([end]) => GOOD_ENDS.includes(end));
  const goesOn = over === true ? '' : ', and it goes on';
  return { lines: [`refreshed ${count} for ${whatIsNamed(named)}: ${how}${goesOn}`], exitCode: isGood ? 0 : 1 };
}

const COLUMNS = ['PHASE', 'FRESH FOR', 'AGE', 'HITS', 'SIZE', 'STATUS', 'RULE', 'URL'] as const;

/** Rows under aligned heads; the last column as long as it is. */
export function tableOf(objects: readonly unknown[]): string[] {
  if (objects.length === 0) return [];
  const rows = [COLUMNS, ...objects.map((object) => rowOf(object as Content))];
  const widths = COLUMNS.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === COLUMNS.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function rowOf(object: Content): readonly string[] {
  const { phase, fresh_for_ms: freshMs, age_sec: ageSec, hits, bytes, status, rule, key, pushed } = object;
  return [
    String(phase),
    inWords(Number(freshMs)),
    inWords(Number(ageSec) * 1000),
    String(hits),
    formatSize(Number(bytes)),
    String(status),
    String(rule),
    `${key}${variantOf(object)}${pushed === true ? '  (pushed)' : ''}`,
  ];
}

function variantOf({ variant }: Content): string {
  const fields = Object.entries((variant ?? {}) as Content).map(([name, value]) => `${name}=${value ?? '-'}`);
  return fields.length === 0 ? '' : `  [${fields.join(', ')}]`;
}

/** Whole seconds, since nobody reads more of a list. */
function inWords(ms: number): string {
  return formatDuration(Math.floor(ms / 1000) * 1000);
}

/** All of one URL: one block of lines for each variant. */
export function objectLines({ url, variants, last_refresh: last }: Content): string[] {
  const lines = [String(url)];
  const { at, end, status, reason } = (last ?? {}) as Content;
  if (at !== undefined)
    lines.push(`last exchange with the origin: ${at}, ${end}${status === null ? '' : ` (${status})`}, ${reason}`);
  for (const variant of Array.isArray(variants) ? (variants as Content[]) : []) lines.push('', ...blockOf(variant));
  return lines;
}

function blockOf(variant: Content): string[] {
  const { fields, times, left_ms: left, tags, ...plain } = variant;
  const pairs: [string, unknown][] = [
    ['key', `${plain['key']}${variantOf(variant)}`],
    ['status', plain['status']],
    ['phase', plain['phase']],
    ['rule', `${plain['rule']} (ttl from ${plain['ttl_source']})`],
    ['age', inWords(Number(plain['age_sec']) * 1000)],
    ['hits', plain['hits']],
    ['size', `${formatSize(Number(plain['bytes']))}, body ${plain['body_bytes']} bytes`],
    ['tags', Array.isArray(tags) && tags.length > 0 ? tags.join(' ') : 'none'],
    ['pushed', plain['pushed'] === true ? 'yes' : 'no'],
    ...Object.entries((times ?? {}) as Content).map(([name, value]): [string, unknown] => [
      name.replaceAll('_', ' '),
      value ?? '-',
    ]),
    ...Object.entries((left ?? {}) as Content).map(([name, value]): [string, unknown] => [
      `${name} left`,
      value === null ? 'for ever' : inWords(Number(value)),
    ]),
  ];
  const width = Math.max(...pairs.map(([name]) => name.length));
  const heads = Array.isArray(fields)
    ? (fields as [string, string][]).map(([name, value]) => `    ${name}: ${value}`)
    : [];
  return [...pairs.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`), '  fields', ...heads];
}
