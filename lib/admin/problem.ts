/** Errors of the admin listener, as problem documents. Implements RFC 9457 §3, §4.2.1. */
import { STATUS_CODES } from 'node:http';

/** What a route answers with. */
export interface AdminReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Further fields, by name. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** RFC 9457 §4.2.1: with `about:blank` the title is the phrase of the status, and `detail` says the rest. */
export function makeProblem(
  status: number,
  detail: string,
  fields: Readonly<Record<string, string>> = {},
  extensions: Readonly<Record<string, unknown>> = {},
): AdminReply {
  const problem = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, ...extensions };
  return { status, contentType: 'application/problem+json', body: `${JSON.stringify(problem)}\n`, fields };
}

export function makeJson(status: number, content: unknown): AdminReply {
  return { status, contentType: 'application/json', body: `${JSON.stringify(content)}\n` };
}

/**
 * What to answer where the query has a parameter that is not known. A URL that was put into a query as it is ends at its
 * first `&`, and would be taken for another one.
 */
export function unknownParameter(query: URLSearchParams, known: readonly string[]): AdminReply | undefined {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  const hint = known.includes('url') ? ' In a URL that is the value of one, write & as %26.' : '';
  return makeProblem(400, `There is no parameter ${JSON.stringify(unknown)}. There is: ${known.join(', ')}.${hint}`);
}
