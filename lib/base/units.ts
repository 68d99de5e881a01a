/** Durations and sizes as people write them: `500ms 10s 5m 1h 1d`, `64KB 256MB 2GB`. */

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

export const SECOND_MS = 1000;
export const HOUR_MS = 3_600_000;
/** Longest lifetime that makes sense to write: ten years. Sums of lifetimes stay far from the edge of numbers. */
export const MAX_LIFETIME_MS = 10 * 365 * 24 * HOUR_MS;

/** What a duration looks like, for error messages. */
export const DURATION_FORM = 'a duration such as 500ms, 10s, 5m, 1h or 1d';
/** What a size looks like, for error messages. */
export const SIZE_FORM = 'a size such as 64KB, 256MB or 2GB';

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)([A-Za-z]+)$/.exec(text.trim());
  const unit = match?.[2] === undefined ? undefined : units[match[2]];
  if (match?.[1] === undefined || unit === undefined) return undefined;
  const value = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Milliseconds of a written duration; `0` needs no unit. Undefined where the text is not one. */
export function parseDuration(text: string): number | undefined {
  return text.trim() === '0' ? 0 : parseQuantity(text, DURATION_UNITS);
}

/** Bytes of a written size (1 KB is 1024 bytes). Undefined where the text is not one. */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, SIZE_UNITS);
}

function formatQuantity(value: number, units: Readonly<Record<string, number>>, smallest: string): string {
  let best = `${value}${smallest}`;
  for (const [unit, factor] of Object.entries(units)) {
    if (value >= factor && value % factor === 0) best = `${value / factor}${unit}`;
  }
  return best;
}

/** The shortest exact way to write a duration: 90000 is `90s`, 3600000 is `1h`. */
export function formatDuration(ms: number): string {
  return ms === 0 ? '0s' : formatQuantity(ms, DURATION_UNITS, 'ms');
}

/** The shortest exact way to write a size. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, SIZE_UNITS, 'B');
}
