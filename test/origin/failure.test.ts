// Goal: each error of sockets, TLS and node:http has its name. Method: a table.
import t from 'tap';
import { OriginError } from '../../lib/base/errors.js';
import { type AnswerProgress, connectFailure, type DialPhase, exchangeFailure } from '../../lib/origin/failure.js';

const coded = (code: string, message = ''): Error => Object.assign(new Error(message), { code });

t.test('failures to connect', async (t) => {
  const cases: [code: string, phase: DialPhase, expected: string][] = [
    ['ECONNREFUSED', 'connecting', 'origin-refused'],
    ['EHOSTUNREACH', 'connecting', 'origin-refused'],
    ['EADDRNOTAVAIL', 'connecting', 'origin-refused'],
    ['EMFILE', 'connecting', 'origin-refused'],
    ['ETIMEDOUT', 'connecting', 'origin-connect-timeout'],
    ['ENOTFOUND', 'connecting', 'origin-unresolvable'],
    ['EAI_AGAIN', 'connecting', 'origin-unresolvable'],
    ['ECONNRESET', 'securing', 'origin-tls'],
    ['CERT_HAS_EXPIRED', 'securing', 'origin-tls'],
    ['EPROTO', 'securing', 'origin-tls'],
  ];
  for (const [code, phase, expected] of cases) t.equal(connectFailure(coded(code), phase).code, expected, code);
});

t.test('failures of an exchange', async (t) => {
  const cases: [error: unknown, none: string, begun: string, head: string][] = [
    [coded('ECONNRESET'), 'origin-reset', 'origin-truncated', 'origin-truncated'],
    [coded('EPIPE'), 'origin-reset', 'origin-truncated', 'origin-truncated'],
    [coded('HPE_INVALID_EOF_STATE'), 'origin-reset', 'origin-truncated', 'origin-truncated'],
    [coded('HPE_INVALID_CONSTANT'), 'origin-malformed', 'origin-malformed', 'origin-malformed'],
    [coded('HPE_HEADER_OVERFLOW'), 'origin-malformed', 'origin-malformed', 'origin-malformed'],
    [new TypeError('a mistake of ours'), 'origin-aborted', 'origin-aborted', 'origin-aborted'],
    ['not even an error', 'origin-aborted', 'origin-aborted', 'origin-aborted'],
  ];
  for (const [error, ...expected] of cases) {
    const got = (['none', 'begun', 'head'] as AnswerProgress[]).map(
      (progress) => exchangeFailure(error, progress).code,
    );
    t.same(got, expected, String(error));
  }
});

t.test('the cause is kept, a named failure stays as it is, and an empty message is not shown', async (t) => {
  const cause = coded('ECONNREFUSED');
  const failure = connectFailure(cause, 'connecting');
  t.equal(failure.cause, cause);
  t.match(failure.message, /ECONNREFUSED/);
  t.equal(failure.sentence, 'The origin cannot be connected to.', 'clients are not told of addresses');
  const named = new OriginError('origin-tls', 'x');
  t.equal(connectFailure(named, 'connecting'), named);
  t.equal(exchangeFailure(named, 'head'), named);
});
