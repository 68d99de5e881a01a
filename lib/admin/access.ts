/** Who may do what on the operator's listener. */
import { TOKEN_VARIABLE } from '../config/token.js';
import { type AdminReply, makeProblem } from './problem.js';
import type { TokenCheck } from './token.js';

/**
 * `open`: anybody who can connect. `look`: tells what is stored or configured, so on loopback anybody, elsewhere with the
 * token. `change`: with the token alone.
 */
export type Access = 'open' | 'look' | 'change';

export interface Visit {
  readonly access: Access;
  readonly isLoopback: boolean;
  readonly authorization: string | undefined;
}

const HOW_TO =
  `Configure one: admin.token_file in the conf file names a file that holds it, or ${TOKEN_VARIABLE} in the environment ` +
  'of the proxy is it (openssl rand -hex 32 makes a good one). Then send it as Authorization: Bearer TOKEN.';

/** What a visitor is told who may not; undefined where he may. `check` is undefined where no token is configured. */
export function refusalOf(
  { access, isLoopback, authorization }: Visit,
  check: TokenCheck | undefined,
): AdminReply | undefined {
  if (access === 'open' || (access === 'look' && isLoopback)) return undefined;
  if (check === undefined) {
    return makeProblem(403, `This needs a token, and none is configured. ${HOW_TO}`);
  }
  const verdict = check(authorization);
  if (verdict === 'shown') return undefined;
  // RFC 6750 §3.1: no error code where the request shows no token at all.
  const challenge = verdict === 'missing' ? 'Bearer realm="patina"' : 'Bearer realm="patina", error="invalid_token"';
  const detail =
    verdict === 'missing' ? 'This needs the token: Authorization: Bearer TOKEN.' : 'The token is not the right one.';
  return makeProblem(401, detail, { 'WWW-Authenticate': challenge });
}
