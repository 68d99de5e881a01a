/** The token that operators show: how it is written, and where it is read from. */
import { readFileSync, statSync } from 'node:fs';

/** Shorter ones can be guessed. */
const MIN_TOKEN_LENGTH = 16;
/** RFC 6750 §2.1: what can stand behind `Bearer`. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
const OTHERS_MAY_READ = 0o077;

/** Where a token can come from beside a file. */
export const TOKEN_VARIABLE = 'PATINA_ADMIN_TOKEN';

/** What is wrong with a token; undefined: nothing. It never shows the token. */
export function tokenProblem(token: string): string | undefined {
  if (token.length < MIN_TOKEN_LENGTH)
    return `expected a token of ${MIN_TOKEN_LENGTH} characters at least, such as openssl rand -hex 32 makes`;
  return TOKEN.test(token) ? undefined : 'expected one token of letters, digits and - . _ ~ + / alone';
}

/** The token in a file, without the white space around it. Throws where the file cannot be read. */
export function tokenFrom(file: string): string {
  return readFileSync(file, 'utf8').trim();
}

/** Whether other users of this machine may read a file. */
export function isReadableByOthers(file: string): boolean {
  return (statSync(file).mode & OTHERS_MAY_READ) !== 0;
}
