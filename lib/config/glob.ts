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
/** `**` between slashes: as ANY_DEPTH, but it and the slash behind it may be left out together. */
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
      // Folders twice in a row are folders; two steps of the kind behind one another are not reckoned with below.
      if (isWholeSegment && tokens.at(-2) === ANY_FOLDERS) i += 1;
      else tokens.push(isWholeSegment ? ANY_FOLDERS : ANY_DEPTH);
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
  const last = tokens.findLastIndex((token) => token < 0);
  // The slash behind folders is left out with them, so it belongs to what the machine reads.
  const end = tokens[last] === ANY_FOLDERS ? last + 2 : last + 1;
  const suffix = String.fromCharCode(...tokens.slice(end));
  const machine = buildMachine(tokens.slice(wild, end));
  // Most paths that a pattern does not match are told by their last character.
  const lastCode = suffix === '' ? undefined : suffix.charCodeAt(suffix.length - 1);
  const matches = (path: string) => {
    const until = path.length - suffix.length;
    if (lastCode !== undefined && path.charCodeAt(path.length - 1) !== lastCode) return false;
    if (until < prefix.length || !path.startsWith(prefix) || !path.endsWith(suffix)) return false;
    return follow(machine, path, prefix.length, until);
  };
  return { glob: { prefix, isExact: false, matches } };
}

/** Character codes that the tables below tell apart; no pattern has one from OTHER on. */
const CODES = 128;
const OTHER = 127;
const WORD_BITS = 32;

/**
 * The steps between the first and the last wildcard as sets of bits, in as many words as they take. Bit n stands for
 * having come to step n; the bit behind the last step, for having come through.
 */
interface Machine {
  readonly words: number;
  readonly lastBit: number;
  /** For each character code: the steps that take it and are done. */
  readonly passes: Int32Array;
  /** For each character code: the steps that take it and go on. */
  readonly stays: Int32Array;
  /** Steps that may take nothing. */
  readonly idle: Int32Array;
  /** Steps that may be left out together with the next, when come to from before. */
  readonly folders: Int32Array;
  /** Where the bits are while a path is read. Matching never yields, so one is enough. */
  readonly state: Int32Array;
}

function buildMachine(tokens: readonly number[]): Machine {
  const words = Math.ceil((tokens.length + 1) / WORD_BITS);
  const machine: Machine = {
    words,
    lastBit: tokens.length,
    passes: new Int32Array(words * CODES),
    stays: new Int32Array(words * CODES),
    idle: new Int32Array(words),
    folders: new Int32Array(words),
    state: new Int32Array(words),
  };
  for (const [step, token] of tokens.entries()) {
    if (token <= ANY_RUN) setBit(machine.idle, 0, step);
    if (token === ANY_FOLDERS) setBit(machine.folders, 0, step);
    for (let code = 0; code < CODES; code += 1) {
      if (token === code || (token === ANY_ONE && code !== SLASH)) setBit(machine.passes, code * words, step);
      if (token <= ANY_DEPTH || (token === ANY_RUN && code !== SLASH)) setBit(machine.stays, code * words, step);
    }
  }
  return machine;
}

function setBit(set: Int32Array, from: number, bit: number): void {
  const word = from + (bit >>> 5);
  set[word] = (set[word] ?? 0) | (1 << (bit & 31));
}

/** Whether `path` between the two places is matched by all steps of the machine. */
function follow(machine: Machine, path: string, from: number, until: number): boolean {
  const { words, passes, stays, idle, folders, state, lastBit } = machine;
  enter(machine);
  for (let at = from; at < until; at += 1) {
    const code = path.charCodeAt(at);
    const row = Math.min(code, OTHER) * words;
    let alive = 0;
    // What moves up out of one word comes into the next: by a step done, by folders left out, by a step that takes nothing.
    let doneCarry = 0;
    let leftOutCarry = 0;
    let idleCarry = 0;
    for (let word = 0; word < words; word += 1) {
      const here = state[word] as number;
      const done = here & (passes[row + word] as number);
      const come = (done << 1) | doneCarry;
      const leavable = come & (folders[word] as number);
      let next = come | (leavable << 2) | leftOutCarry | (here & (stays[row + word] as number));
      const idling = next & (idle[word] as number);
      next |= (idling << 1) | idleCarry;
      doneCarry = done >>> 31;
      leftOutCarry = leavable >>> 30;
      idleCarry = idling >>> 31;
      state[word] = next;
      alive |= next;
    }
    if (alive === 0) return false;
  }
  return ((state[lastBit >>> 5] as number) & (1 << (lastBit & 31))) !== 0;
}

/** Puts the machine before its first step, which is a wildcard. */
function enter({ state, idle, folders }: Machine): void {
  state.fill(0);
  const first = (folders[0] as number) & 1 ? 0b101 : 1;
  state[0] = first | ((first & (idle[0] as number)) << 1);
}
