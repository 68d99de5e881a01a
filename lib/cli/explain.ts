/** `patina explain`: what would become of a request, and of a response to it, by a conf file. */
import { readFileSync } from 'node:fs';
import { systemClock } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import { formatDuration, parseDuration } from '../base/units.js';
import { whyUnreadable } from '../base/unreadable.js';
import { loadConfig } from '../config/load.js';
import { makeRules } from '../config/rules.js';
import { type ExplainedRequest, type Explanation, explain, type GivenResponse } from '../explain/explain.js';
import { readField, readRequest } from '../explain/request.js';
import { explanationText } from '../explain/text.js';
import { Fields } from '../http/fields.js';
import { complainOf, overridesOf } from './check.js';
import { allValues, type CommandSpec, type Given, isGiven, lastValue, type Shell, UsageError } from './command.js';
import { CommandFailure, OPERATOR_FLAGS, Operator } from './operator.js';

/** `METHOD URL`, or a URL alone. */
function requestOf(given: Given): ExplainedRequest {
  const [first = '', second] = given.operands;
  const [method, url] = second === undefined ? ['GET', first] : [first, second];
  const reading = readRequest(method, url, allValues(given, 'header'));
  if ('problem' in reading) throw new UsageError(reading.problem);
  return reading.request;
}

function fieldOf(line: string): readonly string[] {
  const field = readField(line);
  if (field === undefined) throw new UsageError(`expected 'name: value', got ${JSON.stringify(line)}`);
  return field;
}

/** A response head: a status line, then fields, as lines; `\n` between them may be written as such. */
export function readResponse(text: string): GivenResponse {
  const lines = text.replaceAll('\\r\\n', '\n').replaceAll('\\n', '\n').split(/\r?\n/);
  const status = /^(?:HTTP\/\d(?:\.\d)?\s+)?([1-5]\d\d)(?:\s.*)?$/.exec(lines[0]?.trim() ?? '')?.[1];
  if (status === undefined)
    throw new UsageError(`expected a status line such as "HTTP/1.1 200 OK", got ${JSON.stringify(lines[0] ?? '')}`);
  const end = lines.findIndex((line, index) => index > 0 && line.trim() === '');
  const fields = lines.slice(1, end < 0 ? undefined : end).flatMap(fieldOf);
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
    throw new UsageError(`--response-file: ${file} cannot be read: ${whyUnreadable(error)}`);
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
    const request = requestOf(given);
    if (isGiven(given, 'live')) return explainLive(request, given, shell);
    const stray = LIVE_FLAGS.find(({ name }) => isGiven(given, name));
    if (stray !== undefined) throw new UsageError(`--${stray.name}: is for --live, which asks the running proxy`);
    const response = responseOf(given);
    const sinceMs = sinceOf(given);
    if (sinceMs > 0 && response === undefined)
      throw new UsageError('--after: there is no response that it could be after');
    try {
      const settings = loadConfig({ file, overrides: overridesOf(given) });
      const now = wall();
      const rules = makeRules(settings);
      const told = explain({ rules, request, moment: { now, wall: now }, response, sinceMs });
      sayTo(shell, told, given);
      return Promise.resolve(0);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      complainOf(error.problems, file, shell.complain);
      return Promise.resolve(2);
    }
  };
}

function sayTo(shell: Shell, told: Explanation, given: Given): void {
  shell.say(isGiven(given, 'json') ? JSON.stringify(told, null, 2) : explanationText(told).trimEnd());
}

/** What only an explanation without a proxy takes: the response, and the rules, are those of the proxy. */
const NOT_LIVE = ['set', 'response', 'response-file', 'after'];

/** The same by the rules in force of a running proxy, with what is stored there. */
async function explainLive(request: ExplainedRequest, given: Given, shell: Shell): Promise<number> {
  const stray = NOT_LIVE.find((name) => isGiven(given, name));
  if (stray !== undefined)
    throw new UsageError(`--${stray}: goes not with --live, which shows what the running proxy has`);
  const url = `${request.scheme}://${request.host}${request.target}`;
  const query = new URLSearchParams({ url, explain: request.method });
  for (const line of allValues(given, 'header')) query.append('header', line);
  try {
    const { content } = await Operator.from(given, shell).ask(`/v1/objects?${query}`);
    if (!isExplanation(content)) throw new CommandFailure(2, 'the proxy is of a version that explains nothing');
    sayTo(shell, content, given);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    for (const line of error.message.split('\n')) shell.complain(`patina: ${line}`);
    return error.exitCode;
  }
}

function isExplanation(content: object): content is Explanation {
  return 'passedOver' in content && 'now' in content;
}

const LIVE_FLAGS = OPERATOR_FLAGS.filter(({ name }) => name === 'admin' || name === 'token-file');

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
    { name: 'live', doc: 'ask the running proxy: its rules, and what is stored there (--config names that proxy)' },
    ...LIVE_FLAGS,
    { name: 'json', doc: 'as JSON' },
  ],
  run: explainCommand(() => systemClock().wall()),
};
