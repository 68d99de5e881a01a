/** `patina explain`: what would become of a request, and of a response to it, by a conf file. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import { formatDuration, parseDuration } from '../base/units.js';
import { loadConfig } from '../config/load.js';
import { makeRules } from '../config/rules.js';
import { type ExplainedRequest, explain, type GivenResponse } from '../explain/explain.js';
import { explanationText } from '../explain/text.js';
import { Fields } from '../http/fields.js';
import { splitUrl } from '../policy/key.js';
import { complainOf, overridesOf } from './check.js';
import { allValues, type CommandSpec, type Given, isGiven, lastValue, type Shell, UsageError } from './command.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** `METHOD URL`, or a URL alone. */
export function readRequest(operands: readonly string[], headers: readonly string[]): ExplainedRequest {
  const [first = '', second] = operands;
  const [method, url] = second === undefined ? ['GET', first] : [first, second];
  if (!TOKEN.test(method)) throw new UsageError(`expected a method such as GET, got ${JSON.stringify(method)}`);
  const at = splitUrl(url);
  if (at === undefined)
    throw new UsageError(`expected a URL such as http://www.example.org/a, got ${JSON.stringify(url)}`);
  const host = at.host;
  const raw = ['Host', host, ...headers.flatMap(readHeader)];
  const scheme = at.scheme === 'https' ? 'https' : 'http';
  return {
    method,
    scheme,
    host,
    target: at.target.startsWith('/') ? at.target : `/${at.target}`,
    fields: new Fields(raw),
  };
}

function readHeader(line: string): string[] {
  const [, name, value] = /^([^:\s]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (name === undefined || value === undefined || !TOKEN.test(name)) {
    throw new UsageError(`expected 'name: value', got ${JSON.stringify(line)}`);
  }
  return [name, value];
}

/** A response head: a status line, then fields, as lines; `\n` between them may be written as such. */
export function readResponse(text: string): GivenResponse {
  const lines = text.replaceAll('\\r\\n', '\n').replaceAll('\\n', '\n').split(/\r?\n/);
  const status = /^(?:HTTP\/\d(?:\.\d)?\s+)?([1-5]\d\d)(?:\s.*)?$/.exec(lines[0]?.trim() ?? '')?.[1];
  if (status === undefined)
    throw new UsageError(`expected a status line such as "HTTP/1.1 200 OK", got ${JSON.stringify(lines[0] ?? '')}`);
  const end = lines.findIndex((line, index) => index > 0 && line.trim() === '');
  const fields = lines.slice(1, end < 0 ? undefined : end).flatMap((line) => readHeader(line));
  return { status: Number(status), fields: new Fields(fields) };
}

function responseOf(given: Given): GivenResponse | undefined {
  const text = lastValue(given, 'response');
  const file = lastValue(given, 'response-file');
  if (text !== undefined) return readResponse(text);
  if (file === undefined) return undefined;
  try {
    return readResponse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--response-file: ${file} cannot be read: ${(error as Error).message}`);
  }
}

function sinceOf(given: Given): number {
  const written = lastValue(given, 'after');
  if (written === undefined) return 0;
  const ms = parseDuration(written);
  if (ms === undefined)
    throw new UsageError(
      `--after: expected a duration such as ${formatDuration(10_000)}, got ${JSON.stringify(written)}`,
    );
  return ms;
}

/** Clocks stand outside, so that a test has its own. */
export type Now = () => number;

export function explainCommand(wall: Now): CommandSpec['run'] {
  return (given: Given, shell: Shell): Promise<number> => {
    const file = lastValue(given, 'config');
    if (given.operands.length === 0) throw new UsageError('explain: expected a URL to explain');
    const request = readRequest(given.operands, allValues(given, 'header'));
    const response = responseOf(given);
    const sinceMs = sinceOf(given);
    if (sinceMs > 0 && response === undefined)
      throw new UsageError('--after: there is no response that it could be after');
    try {
      const settings = loadConfig({ file, overrides: overridesOf(given) });
      const now = wall();
      const rules = makeRules(settings);
      const told = explain({ rules, request, moment: { now, wall: now }, response, sinceMs });
      shell.say(isGiven(given, 'json') ? JSON.stringify(told, null, 2) : explanationText(told).trimEnd());
      return Promise.resolve(0);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      complainOf(error.problems, file, shell.complain);
      return Promise.resolve(2);
    }
  };
}

export const EXPLAIN: CommandSpec = {
  name: 'explain',
  usage: '[METHOD] URL [flags]',
  summary: 'which rule a request falls under, its key, what is stored of a response, and why',
  maxOperands: 2,
  flags: [
    { name: 'config', takes: 'FILE', doc: 'the conf file; without one the headers of the origin decide' },
    { name: 'set', takes: 'KEY.PATH=VALUE', doc: 'an option over the file; may be given again' },
    { name: 'header', short: 'H', takes: "'name: value'", doc: 'a header of the request; may be given again' },
    { name: 'response', takes: 'HEAD', doc: "a response: 'HTTP/1.1 200 OK\\nCache-Control: max-age=10'" },
    { name: 'response-file', takes: 'FILE', doc: 'the same from a file' },
    { name: 'after', takes: 'DURATION', doc: 'ask so long after that response came' },
    { name: 'json', doc: 'as JSON' },
  ],
  run: explainCommand(() => systemClock().wall()),
};
