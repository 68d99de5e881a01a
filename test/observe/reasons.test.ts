/** Goal: the table of reason codes is well-formed and complete for what base knows. Method: the table itself. */
import t from 'tap';
import { OriginError, type OriginFailure } from '../../lib/base/errors.js';
import { explainReason, REASON_CODES, REASONS } from '../../lib/observe/reasons.js';

t.test('RFC 9211 §2.8: every reason code can be a detail parameter as a bare token', (t) => {
  for (const code of REASON_CODES) t.match(code, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  t.end();
});

t.test('every code has one sentence, and no two codes share one', (t) => {
  const sentences = Object.values(REASONS);
  for (const sentence of sentences) {
    t.match(sentence, /^[A-Z].*[^.]\.$/);
    t.ok(sentence.length <= 120, sentence);
  }
  t.equal(new Set(sentences).size, sentences.length);
  t.end();
});

t.test('every way in which the origin fails is in the table', (t) => {
  // A record, so that the compiler asks for a code that is added to the union.
  const failures: Record<OriginFailure, true> = {
    'origin-unresolvable': true,
    'origin-refused': true,
    'origin-reset': true,
    'origin-tls': true,
    'origin-connect-timeout': true,
    'origin-headers-timeout': true,
    'origin-idle-timeout': true,
    'origin-malformed': true,
    'origin-truncated': true,
    'origin-breaker-open': true,
    'origin-queue-full': true,
    'origin-aborted': true,
  };
  for (const code of Object.keys(failures) as OriginFailure[])
    t.type(explainReason(new OriginError(code, 'x').code), 'string', code);
  t.end();
});

t.test('a code that is not in the table has no sentence, whatever it is called', (t) => {
  t.equal(explainReason('no-such-code'), undefined);
  t.equal(explainReason('constructor'), undefined);
  t.equal(explainReason('__proto__'), undefined);
  t.end();
});
