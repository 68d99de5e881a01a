/** Whether a request shows the operator's token. Implements RFC 6750 §2.1, §3. */
import { createHash, timingSafeEqual } from 'node:crypto';

export type TokenVerdict = 'shown' | 'missing' | 'wrong';

/** Judges an Authorization field. */
export type TokenCheck = (authorization: string | undefined) => TokenVerdict;

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The check for one token, in a time that does not depend on how much of it is right. */
export function makeTokenCheck(token: string): TokenCheck {
  const expected = digest(token);
  return (authorization) => {
    if (authorization === undefined) return 'missing';
    const [, shown] = /^bearer +(\S+) *$/i.exec(authorization) ?? [];
    // Of one length by the digest, so that not even the length of the right one is told.
    return shown !== undefined && timingSafeEqual(digest(shown), expected) ? 'shown' : 'wrong';
  };
}
