/** The request that is to be explained, as an operator writes it: a method, a URL, and fields as lines. */
import { Fields } from '../http/fields.js';
import { splitUrl } from '../policy/key.js';
import type { ExplainedRequest } from './explain.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export type RequestReading = { readonly request: ExplainedRequest } | { readonly problem: string };

export function readRequest(method: string, url: string, lines: readonly string[]): RequestReading {
  if (!TOKEN.test(method)) return { problem: `expected a method such as GET, got ${JSON.stringify(method)}` };
  const at = splitUrl(url);
  if (at === undefined)
    return { problem: `expected a URL such as http://www.example.org/a, got ${JSON.stringify(url)}` };
  const raw = ['Host', at.host];
  for (const line of lines) {
    const field = readField(line);
    if (field === undefined) return { problem: `expected 'name: value', got ${JSON.stringify(line)}` };
    raw.push(...field);
  }
  const scheme = at.scheme === 'https' ? 'https' : 'http';
  const target = at.target.startsWith('/') ? at.target : `/${at.target}`;
  return { request: { method, scheme, host: at.host, target, fields: new Fields(raw) } };
}

/** `name: value`; undefined where it is none. */
export function readField(line: string): readonly [name: string, value: string] | undefined {
  const [, name, value] = /^([^:\s]+):[ \t]*([^\r\n]*?)[ \t]*$/.exec(line) ?? [];
  return name === undefined || value === undefined || !TOKEN.test(name) ? undefined : [name, value];
}
