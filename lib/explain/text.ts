/** An explanation as a person reads it on a terminal, and as one line for a header field or a log. */
import { MAX_EXPLANATION_BYTES } from '../base/limits.js';
import { formatDuration } from '../base/units.js';
import { explainReason } from '../observe/reasons.js';
import type { Explanation, Instant, ResponseNote } from './explain.js';

const NOW: Readonly<Record<string, string>> = {
  pass: 'goes past the cache',
  miss: 'waits for the origin',
  accepted: 'gets 202 at once, and the Location of a status resource, while one request to the origin runs',
  'not-found': 'gets 404',
  validate: 'waits for one conditional request to the origin',
  hit: 'gets the stored response; the origin is asked nothing',
  stale: 'gets the stored response at once, while one conditional request refreshes it',
};

/** Lines with a margin of names. */
export function explanationText(one: Explanation): string {
  const lines: string[] = [one.request, ''];
  const row = (name: string, text: string): void => void lines.push(`${name.padEnd(11)}${text}`);
  row('Rule', one.rule);
  for (const { rule, wanted } of one.passedOver) row('', `not ${rule}: only where ${wanted}`);
  row('Key', one.key);
  for (const [name, value] of one.changed)
    row(name === one.changed[0]?.[0] ? 'Changed' : '', `${name}: ${value ?? '(taken out)'}`);
  if (one.response !== undefined) lines.push('', ...responseLines(one.response));
  if (one.conditions.length > 0) lines.push('');
  for (const [index, [name, value]] of one.conditions.entries())
    row(index === 0 ? 'To origin' : '', `${name}: ${value}`);
  lines.push('');
  row('Now', `${NOW[one.now.gets] ?? one.now.gets} (${one.now.reason})`);
  const sentence = explainReason(one.now.reason);
  if (sentence !== undefined) row('', sentence);
  return `${lines.join('\n')}\n`;
}

function responseLines(note: ResponseNote): string[] {
  const lines: string[] = [];
  const row = (name: string, text: string): void => void lines.push(`${name.padEnd(11)}${text}`.trimEnd());
  row('Response', `${note.status}, under rule ${note.rule}`);
  if (!note.stored) {
    row('Stored', `no (${note.reason ?? 'not stored'})`);
    const sentence = note.reason === undefined ? undefined : explainReason(note.reason);
    if (sentence !== undefined) row('', sentence);
  } else {
    const place = note.tier === undefined ? 'yes' : `yes, ${note.tier === 'disk' ? 'on disk' : 'in memory'}`;
    row('Stored', note.despite.length === 0 ? place : `${place}, by ${note.despite.join(', ')}`);
    row('Age', `${note.ageSec}s`);
    if (note.vary.length > 0) row('Vary', note.vary.join(', '));
    let from: Instant | undefined;
    for (const { phase, until, by } of note.phases) {
      const lengthMs = from === undefined ? undefined : until.inMs - from.inMs;
      const length = lengthMs === undefined ? '' : `${formatDuration(Math.max(0, lengthMs))}, `;
      row(`  ${phase}`, `until ${shown(until)}: ${length}${by}`);
      from = until;
    }
    if (note.errorUntil !== undefined) row('  errors', `of the origin are hidden until ${shown(note.errorUntil)}`);
    if (note.unreachableUntil !== undefined)
      row('  outage', `of the origin is hidden until ${shown(note.unreachableUntil)}`);
  }
  for (const [index, [name, value]] of note.client.entries()) row(index === 0 ? 'Client' : '', `${name}: ${value}`);
  return lines;
}

/** `2026-01-01T12:00:10Z, in 10s`. */
function shown({ at, inMs }: Instant): string {
  const seconds = Math.round(Math.abs(inMs) / 1000) * 1000;
  const when = inMs < 0 ? `${formatDuration(seconds)} ago` : `in ${formatDuration(seconds)}`;
  return `${at.replace('.000Z', 'Z')}, ${when}`;
}

/** The same in one line of ASCII, bounded: a value for a header field. */
export function explanationLine(one: Explanation): string {
  const { request: _, sent: ___, response, ...rest } = one;
  const { client: __, ...note } = response ?? { client: [] };
  const text = JSON.stringify({ ...rest, ...(response === undefined ? {} : { response: note }) });
  const ascii = text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return ascii.length <= MAX_EXPLANATION_BYTES
    ? ascii
    : JSON.stringify({ rule: one.rule, now: one.now, isShortened: true });
}
