/** A request as rules look at it: what the conditions of a match ask of it, in the form in which they are written. */
import { Fields } from '../http/fields.js';
import { decodeQuery } from '../http/query.js';
import { withPlainEscapes } from './glob.js';

/** What is known of a request when its rule is looked for. */
export interface RuleRequest {
  readonly method: string;
  /** Host and port, in lower case. */
  readonly host: string;
  /** Origin-form: path and query. */
  readonly target: string;
  readonly fields: Fields;
  /** The request as it came, where a rule has changed its fields since. */
  readonly received?: RuleRequest | undefined;
}

/** A request with what several conditions ask of it, each worked out once, when it is first asked for. */
export class Asked {
  #request: RuleRequest = NOTHING;
  #path = '';
  #bareHost: string | undefined;
  #ext: string | undefined;
  #parameters: Parameters | undefined;

  /** Begins anew with another request. `path` is in the form that patterns are written in. */
  begin(request: RuleRequest, path: string): this {
    this.#request = request;
    this.#path = path;
    this.#bareHost = undefined;
    this.#ext = undefined;
    this.#parameters = undefined;
    return this;
  }

  get request(): RuleRequest {
    return this.#request;
  }

  get path(): string {
    return this.#path;
  }

  /** The host without its port. */
  get bareHost(): string {
    this.#bareHost ??= withoutPort(this.#request.host);
    return this.#bareHost;
  }

  /** What follows the last dot of the last segment, in lower case; empty where there is none. */
  get ext(): string {
    this.#ext ??= extOf(this.#path);
    return this.#ext;
  }

  /** The values of each query parameter, decoded. */
  get parameters(): Parameters {
    this.#parameters ??= parametersOf(this.#request.target);
    return this.#parameters;
  }
}

/** The values of each parameter: mostly one. */
type Parameters = ReadonlyMap<string, string | readonly string[]>;

const NOTHING: RuleRequest = { method: '', host: '', target: '', fields: Fields.empty };

function withoutPort(host: string): string {
  const colon = host.lastIndexOf(':');
  return colon > host.lastIndexOf(']') ? host.slice(0, colon) : host;
}

function extOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot < 0 || dot < path.lastIndexOf('/') ? '' : path.slice(dot + 1).toLowerCase();
}

const NO_PARAMETERS: Parameters = new Map();

/** Every request that a rule with a query condition is looked at for pays for this: no list of pairs is made on the way. */
function parametersOf(target: string): Parameters {
  const mark = target.indexOf('?');
  if (mark < 0) return NO_PARAMETERS;
  const parameters = new Map<string, string | string[]>();
  const isPlain = !target.includes('%', mark) && !target.includes('+', mark);
  for (let from = mark + 1; from < target.length; ) {
    const and = target.indexOf('&', from);
    const until = and < 0 ? target.length : and;
    if (until > from) {
      const equals = target.indexOf('=', from);
      const isNamed = equals >= 0 && equals < until;
      const written = target.slice(from, isNamed ? equals : until);
      const name = isPlain ? written : decodeQuery(written);
      const text = isNamed ? target.slice(equals + 1, until) : '';
      const value = isPlain ? text : decodeQuery(text);
      const values = parameters.get(name);
      if (values === undefined) parameters.set(name, value);
      else if (typeof values === 'string') parameters.set(name, [values, value]);
      else values.push(value);
    }
    from = until + 1;
  }
  return parameters;
}

/**
 * The path in the form that patterns are written in. Origins take `/%61dmin` and `/x/../admin` for `/admin`
 * (RFC 3986 §6.2.2.2-6.2.2.3), so a rule must not be dodged, or drawn over other pages, by another spelling.
 * The key and what the origin is sent keep the client's own spelling.
 */
export function pathToMatch(target: string): string {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  const plain = path.includes('%') ? withPlainEscapes(path) : path;
  return plain.includes('/.') ? withoutDotSegments(plain) : plain;
}

/** RFC 3986 §5.2.4. */
function withoutDotSegments(path: string): string {
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') out.pop();
    else if (segment !== '.') out.push(segment);
    if (isLast && (segment === '.' || segment === '..')) out.push('');
  }
  return `/${out.join('/')}`;
}
