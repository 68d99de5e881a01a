/** A problem of a conf file as a person sees it: the sentence, the line that it is about, and a caret under the place. */
import { MAX_SHOWN_LINE } from '../base/config-limits.js';

/** The lines to print for one problem, `FILE:LINE:COLUMN: sentence`. `text` is the file's; what has no place is one line. */
export function showProblem(problem: string, file: string, text: string): string[] {
  const rest = problem.startsWith(`${file}:`) ? /^(\d+):(\d+): /.exec(problem.slice(file.length + 1)) : null;
  const line = Number(rest?.[1]);
  const column = Number(rest?.[2]);
  const source = rest === null ? undefined : text.split(/\r?\n/)[line - 1];
  if (source === undefined || source.trim() === '') return [problem];
  // A place far to the right is brought near: the sentence has the true column.
  const from = Math.max(0, column - 1 - (MAX_SHOWN_LINE >> 1));
  const shown = source.slice(from, from + MAX_SHOWN_LINE).replaceAll('\t', ' ');
  const gutter = `${line} | `;
  return [problem, `  ${gutter}${shown}`, `  ${' '.repeat(gutter.length + column - 1 - from)}^`];
}
