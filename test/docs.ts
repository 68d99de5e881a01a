/**
 * The parts of the README that are made from the code, each between its own pair of markers. Run as a program
 * (`npm run docs`) it writes them; test/tidy checks that they are current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { EXIT_CODES } from '../lib/cli/help.js';
import { jsonSchemaText } from '../lib/config/json-schema.js';
import { markdownReference } from '../lib/config/reference.js';
import { createMetrics, NO_GAUGES } from '../lib/observe/metrics.js';
import { REASONS } from '../lib/observe/reasons.js';
import { FakeClock } from './kit/clock.js';

/** For editors: the option table as a JSON Schema. */
export const SCHEMA = new URL('../../conf/patina.schema.json', import.meta.url);

export const README = new URL('../../README.md', import.meta.url);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Names and meanings of the metrics, as /metrics itself gives them. */
async function metricsTable(): Promise<string> {
  const { body } = await createMetrics({ clock: new FakeClock(), gauges: () => NO_GAUGES }).render();
  const types = new Map([...body.matchAll(/^# TYPE (patina_\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]));
  const rows = [...body.matchAll(/^# HELP (patina_\S+) (.*)$/gm)].map(([, name = '', help = '']) => {
    return [`\`${name}\``, types.get(name) ?? '', help];
  });
  return table(['Name', 'Type', 'Meaning'], rows);
}

/** Marker -> what stands behind it. */
export async function generatedParts(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['reference', markdownReference()],
    [
      'exit-codes',
      table(
        ['Code', 'Meaning'],
        EXIT_CODES.map(([code, meaning]) => [String(code), meaning]),
      ),
    ],
    ['metrics', await metricsTable()],
    [
      'reasons',
      table(
        ['Code', 'Meaning'],
        Object.entries(REASONS).map(([code, sentence]) => [`\`${code}\``, sentence]),
      ),
    ],
  ]);
}

/** The text with every generated part renewed. Throws where a pair of markers is missing. */
export function withParts(text: string, parts: ReadonlyMap<string, string>): string {
  let out = text;
  for (const [marker, part] of parts) {
    const [begin, end] = [`<!-- ${marker} -->`, `<!-- /${marker} -->`];
    const from = out.indexOf(begin);
    const until = out.indexOf(end);
    if (from < 0 || until < from) throw new Error(`the markers ${begin} and ${end} are not there`);
    out = `${out.slice(0, from + begin.length)}\n\n${part.trim()}\n\n${out.slice(until)}`;
  }
  return out;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(SCHEMA, jsonSchemaText());
  writeFileSync(README, withParts(readFileSync(README, 'utf8'), await generatedParts()));
}
