/** Options given on the command line: each is put over what the file says, before anything is validated. */
import { parseYamlValue } from './document.js';
import type { Entry } from './kinds.js';
import { OPTIONS } from './schema.js';

export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** As the person wrote it, for error messages: `--set defaults.ttl=10s`. */
  readonly flag: string;
}

/** Reads `key.path=value`. */
export function parseSetting(setting: string): Override | { readonly problem: string } {
  const flag = `--set ${setting}`;
  const match = /^([^=]*)=([\s\S]*)$/.exec(setting);
  const path = match?.[1]?.split('.') ?? [];
  if (match === null || path.some((step) => step === '')) {
    return { problem: `${flag}: expected key.path=value such as defaults.grace=1h` };
  }
  const parsed = parseYamlValue(match[2] ?? '');
  if ('problem' in parsed) return { problem: `${flag}: ${parsed.problem}` };
  return { path, value: parsed.value, flag };
}

/** `written` with the overrides in it, in their order. */
export function applyOverrides(written: unknown, overrides: readonly Override[]): unknown {
  return overrides.reduce((value, { path, value: own }) => withValue(OPTIONS, value, path, own), written);
}

function withValue(entry: Entry | undefined, written: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (entry?.kind === 'list' || Array.isArray(written)) {
    const list = Array.isArray(written) ? [...written] : [];
    const index = Number(step);
    // Anything but an entry that is there, or the one after the last, is left for the validation to refuse.
    if (!/^\d+$/.test(step) || index > list.length) return { ...list, [step]: value };
    list[index] = withValue(entry?.kind === 'list' ? entry.item : undefined, list[index], rest, value);
    return list;
  }
  const map = toMap(entry, written);
  const below = entry?.kind === 'section' ? entry.shape[step] : undefined;
  return { ...map, [step]: withValue(below, map[step], rest, value) };
}

/** A section in its long form, so that one of its options can be changed. */
function toMap(entry: Entry | undefined, written: unknown): Readonly<Record<string, unknown>> {
  if (typeof written === 'object' && written !== null) return written as Record<string, unknown>;
  const shorthand = entry?.kind === 'section' ? entry.meta.shorthand : undefined;
  return shorthand === undefined || written === undefined || written === null ? {} : { [shorthand]: written };
}
