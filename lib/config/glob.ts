/**
 * Path patterns. A pattern is compiled to a few tokens and matched by following all ways at once, so the time is
 * linear in the path whatever the pattern and whoever chose the path: nothing here can be made to backtrack.
 */
import type { Reading } from './kinds.js';

const MAX_GLOB_LENGTH = 256;

/** One step of a pattern: a character code to equal, or one of these. */
const ANY_ONE = -1;
const ANY_RUN = -2;
const ANY_DEPTH = -3;
/** `**` before a slash: as ANY_DEPTH, but it and that slash may be left out together. */
const ANY_FOLDERS = -4;

const SLASH = 47;

export interface Glob {
  /** What every matching path begins with, as far as the pattern is plain. */
  readonly prefix: string;
  /** Whether the prefix is all: one path matches. */
  readonly isExact: boolean;
  matches(path: string): boolean;
}

function tokenise(pattern: string): Reading<number[]> {
  const tokens: number[] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    const code = pattern.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) {
      return {
        problem: `a path has no spaces, control characters or letters beyond ASCII: write them as %XX (character ${i + 1})`,
      };
    }
    const char = pattern[i];
    if (char === '\\') {
      i += 1;
      if (i >= pattern.length) return { problem: 'the pattern ends in a backslash that escapes nothing' };
      tokens.push(pattern.charCodeAt(i));
    } else if (char === '?') tokens.push(ANY_ONE);
    else if (char !== '*') tokens.push(code);
    else if (pattern[i + 1] !== '*') tokens.push(ANY_RUN);
    else {
      while (pattern[i + 1] === '*') i += 1;
      const isWholeSegment = tokens.at(-1) === SLASH && pattern[i + 1] === '/';
      tokens.push(isWholeSegment ? ANY_FOLDERS : ANY_DEPTH);
    }
  }
  return { value: tokens };
}

/** With escapes of characters that need none undone, and the others in capitals (RFC 3986 §6.2.2.1-6.2.2.2). */
export function withPlainEscapes(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (whole, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : whole.toUpperCase();
  });
}

/** Compiles a pattern, or says what is wrong with it. */
export function compileGlob(pattern: string): { readonly glob: Glob } | { readonly problem: string } {
  if (!pattern.startsWith('/')) return { problem: `a path begins with /: write ${JSON.stringify(`/${pattern}`)}` };
  if (pattern.length > MAX_GLOB_LENGTH) return { problem: `a pattern has ${MAX_GLOB_LENGTH} characters at most` };
  if (pattern.includes('#')) return { problem: 'a path that reaches a server has no # in it' };
  if (/\/\.\.?(?:\/|$)/.test(pattern))
    return { problem: 'a path is matched with its . and .. segments resolved: write it without' };
  const reading = tokenise(withPlainEscapes(pattern));
  if ('problem' in reading) return reading;
  const tokens = reading.value;
  const wild = tokens.findIndex((token) => token < 0);
  const plain = wild < 0 ? tokens : tokens.slice(0, wild);
  const prefix = String.fromCharCode(...plain);
  if (wild < 0) return { glob: { prefix, isExact: true, matches: (path) => path === prefix } };
  if (wild === tokens.length - 1 && tokens[wild] === ANY_DEPTH) {
    return { glob: { prefix, isExact: false, matches: (path) => path.startsWith(prefix) } };
  }
  const rest = Int16Array.from(tokens.slice(wild));
  return {
    glob: { prefix, isExact: false, matches: (path) => path.startsWith(prefix) && follow(rest, path, prefix.length) },
  };
}

/** Whether `path` from `from` on is matched by all of `tokens`. */
function follow(tokens: Int16Array, path: string, from: number): boolean {
  const size = tokens.length;
  // Positions in the pattern that the path read so far can have led to; the marks keep each in the list once.
  let here: number[] = [];
  let next: number[] = [];
  const mark = new Int32Array(size + 1).fill(-1);
  reach(tokens, 0, from, mark, here);
  for (let at = from; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    for (const position of here) {
      const token = tokens[position];
      if (token === undefined) continue;
      if (token === code || (token === ANY_ONE && code !== SLASH)) reach(tokens, position + 1, at + 1, mark, next);
      else if (token <= ANY_DEPTH || (token === ANY_RUN && code !== SLASH)) stay(tokens, position, at + 1, mark, next);
    }
    if (next.length === 0) return false;
    [here, next] = [next, here];
    next.length = 0;
  }
  return mark[size] === path.length;
}

/** Adds a position come to from before it, and those behind it that cost no character. */
function reach(tokens: Int16Array, position: number, step: number, mark: Int32Array, into: number[]): void {
  if (mark[position] === step) return;
  // Only from the slash before them can folders be left out.
  if (tokens[position] === ANY_FOLDERS) reach(tokens, position + 2, step, mark, into);
  stay(tokens, position, step, mark, into);
}

/** Adds a position, and the next where this one takes any number of characters. */
function stay(tokens: Int16Array, position: number, step: number, mark: Int32Array, into: number[]): void {
  if (mark[position] === step) return;
  mark[position] = step;
  into.push(position);
  const token = tokens[position];
  if (token === ANY_RUN || token === ANY_DEPTH || token === ANY_FOLDERS) reach(tokens, position + 1, step, mark, into);
}
