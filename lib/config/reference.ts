/** The option table as people read it: lines for --help, and the reference in the README. */
import type { Entry, OptionMeta } from './kinds.js';
import { OPTIONS } from './schema.js';

/** One option with its full name. `[]` stands for an entry of a list. */
export interface OptionRow extends OptionMeta {
  readonly path: string;
}

/** One map of options, with its own options and what it is for. */
export interface SectionRow {
  /** Empty for the top of the file. */
  readonly path: string;
  readonly doc: string;
  readonly options: readonly OptionRow[];
}

/** All sections in the order of the table, those without options of their own left out. */
export function sections(): SectionRow[] {
  return collect(OPTIONS, '', '').filter(({ options }) => options.length > 0);
}

function collect(entry: Entry, path: string, listDoc: string): SectionRow[] {
  if (entry.kind === 'option') return [];
  if (entry.kind === 'list' && entry.meta.sameAs !== undefined) return [];
  if (entry.kind === 'list') return collect(entry.item, `${path}[]`, `${entry.meta.doc} `);
  const options: OptionRow[] = [];
  const below: SectionRow[] = [];
  for (const [key, own] of Object.entries(entry.shape)) {
    const ownPath = path === '' ? key : `${path}.${key}`;
    if (own.kind === 'option') options.push({ ...own.meta, path: ownPath });
    else if (own.kind === 'list' && own.meta.sameAs !== undefined) {
      options.push({ type: `list as ${own.meta.sameAs}`, doc: own.meta.doc, schema: {}, path: ownPath });
    } else below.push(...collect(own, ownPath, ''));
  }
  return [{ path, doc: listDoc + entry.meta.doc, options }, ...below];
}

/** Every option, in the order of the table. */
export function optionRows(): OptionRow[] {
  return sections().flatMap(({ options }) => options);
}

function boundsOf({ min, max }: OptionRow): string {
  if (min !== undefined && max !== undefined) return ` From ${min} to ${max}.`;
  if (min !== undefined) return ` At least ${min}.`;
  return max === undefined ? '' : ` At most ${max}.`;
}

const lastKey = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

/** Where an option says word for word what an earlier one of its name says, that one: nobody should read it twice. */
function toldBefore(rows: readonly OptionRow[]): ReadonlyMap<OptionRow, OptionRow> {
  const first = new Map<string, OptionRow>();
  const again = new Map<OptionRow, OptionRow>();
  for (const row of rows) {
    const said = JSON.stringify([lastKey(row.path), row.type, row.doc, row.min, row.max]);
    const before = first.get(said);
    if (before === undefined) first.set(said, row);
    else again.set(row, before);
  }
  return again;
}

/** Type and meaning of an option. */
function told(row: OptionRow, before: OptionRow | undefined): [type: string, meaning: string] {
  if (before === undefined) return [row.type, row.doc + boundsOf(row)];
  return [`as \`${before.path}\``, 'The same, for what this rule is for.'];
}

/** The reference as Markdown, one table for each section. */
export function markdownReference(): string {
  const out: string[] = [];
  const all = sections();
  const again = toldBefore(all.flatMap(({ options }) => options));
  for (const { path, doc, options } of all) {
    out.push(
      `### ${path === '' ? 'Top of the file' : `\`${path}\``}`,
      '',
      doc,
      '',
      '| Key | Value | Default | Meaning |',
      '| --- | --- | --- | --- |',
    );
    for (const row of options) {
      const preset = row.default === undefined ? '' : `\`${row.default}\``;
      const [type, meaning] = told(row, again.get(row));
      const cells = [`\`${row.path}\``, type, preset, meaning];
      out.push(`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
    }
    out.push('');
  }
  return out.join('\n');
}

const HELP_COLUMNS = 100;

/** The options as lines for a terminal. */
export function plainReference(): string {
  const out: string[] = [];
  const rows = optionRows();
  const again = toldBefore(rows);
  for (const row of rows) {
    const before = again.get(row);
    const [type, meaning] = told(row, before);
    const preset = row.default === undefined ? '' : `, default ${row.default}`;
    const [first = '', ...more] = wrap(`${row.path}  (${type}${preset})`.replaceAll('`', ''), HELP_COLUMNS - 6);
    out.push(`  ${first}`, ...more.map((line) => `      ${line}`));
    if (before !== undefined) continue;
    out.push(...wrap(meaning.replaceAll('`', ''), HELP_COLUMNS - 6).map((line) => `      ${line}`));
  }
  return out.join('\n');
}

/** Breaks text into lines of at most `columns` characters. */
export function wrap(paragraph: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
}
