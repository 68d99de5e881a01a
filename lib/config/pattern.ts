/** Regular expressions of the conf file, in linear time whatever the pattern and the path. The one importer of re2js. */
import { createRequire } from 'node:module';
import type * as Re2 from 're2js';
import { MAX_PATTERN_LENGTH } from '../base/config-limits.js';
import type { Reading } from './kinds.js';

const require = createRequire(import.meta.url);

export interface Pattern {
  /** Whether it is found anywhere in the text: `^` and `$` tie it to the ends. */
  matches(text: string): boolean;
}

/** Compiles an expression in RE2's syntax: as JavaScript's, but without back references and look-around. */
export function compilePattern(written: string): Reading<Pattern> {
  if (written.length > MAX_PATTERN_LENGTH) {
    return { problem: `an expression has ${MAX_PATTERN_LENGTH} characters at most` };
  }
  // Read where there is an expression: that takes longer than most conf files.
  const { RE2JS, RE2JSException } = require('re2js') as typeof Re2;
  try {
    const compiled = RE2JS.compile(written);
    return { value: { matches: (text) => compiled.test(text) } };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return { problem: `expected a regular expression (RE2 syntax): ${error.message}` };
  }
}
