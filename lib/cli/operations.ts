/** The commands of an operator: each is one request to the admin listener of a running proxy, put into words. */
import { readFileSync } from 'node:fs';
import { whyUnreadable } from '../base/unreadable.js';
import {
  allValues,
  type CommandSpec,
  type Flag,
  type Given,
  isGiven,
  lastValue,
  type Shell,
  UsageError,
} from './command.js';
import { countsLine, objectLines, refreshLine, tableOf } from './operation-words.js';
import { CommandFailure, OPERATOR_FLAGS, Operator, type OperatorReply } from './operator.js';

const NAMING: readonly Flag[] = [
  { name: 'url', takes: 'URL', doc: 'a URL, with all its variants; may stand alone as the operand' },
  { name: 'prefix', takes: 'URL', doc: 'all whose URL begins so' },
  { name: 'tag', takes: 'WORD', doc: 'all that carry this surrogate key (tags_from)' },
];
const WAIT: Flag = { name: 'wait', doc: 'wait until it is over, and say how it ended' };
const FILL: Flag = { name: 'fill', doc: 'ask for a URL that is not stored as well' };
const LIST_FLAGS: readonly Flag[] = [
  { name: 'prefix', takes: 'URL', doc: 'those whose URL begins so' },
  { name: 'tag', takes: 'WORD', doc: 'those that carry this surrogate key' },
  { name: 'phase', takes: 'fresh|grace|keep|gone', doc: 'those in this phase' },
  { name: 'rule', takes: 'NAME', doc: 'those under this rule' },
  { name: 'min-hits', takes: 'NUMBER', doc: 'those that were used so often at least' },
  { name: 'limit', takes: 'NUMBER', doc: 'so many at most; 1000 without it' },
];
const HEADER: Flag = {
  name: 'header',
  short: 'H',
  takes: "'name: value'",
  doc: 'a field of the response; may be given again',
};
const STATUS: Flag = { name: 'status', takes: 'NUMBER', doc: 'the status of the response; 200 without it' };

const DEFAULT_LIMIT = 1_000;

/** What is done with the answer: lines for people, and the exit code. */
interface Told {
  readonly lines: readonly string[];
  readonly exitCode: 0 | 1;
}

type Work = (operator: Operator, given: Given) => Promise<{ readonly reply: OperatorReply; readonly told: Told }>;

/** A command of which `work` is the request and the words. */
function command(spec: Omit<CommandSpec, 'run'>, work: Work): CommandSpec {
  return {
    ...spec,
    flags: [...spec.flags, ...OPERATOR_FLAGS],
    run: async (given: Given, shell: Shell) => {
      try {
        const { reply, told } = await work(Operator.from(given, shell), given);
        if (isGiven(given, 'json')) shell.say(JSON.stringify(reply.content, null, 2));
        else for (const line of told.lines) shell.say(line);
        return told.exitCode;
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error;
        for (const line of error.message.split('\n')) shell.complain(`patina: ${line}`);
        return error.exitCode;
      }
    },
  };
}

/** What a command names: exactly one of url, prefix and tag. */
function namedBy(given: Given): Readonly<Record<string, string>> {
  const named: [string, string][] = given.operands.map((url) => ['url', url]);
  for (const { name } of NAMING) {
    const value = lastValue(given, name);
    if (value !== undefined) named.push([name, value]);
  }
  if (named.length !== 1) throw new UsageError('expected one of URL, --url URL, --prefix URL, --tag WORD');
  return Object.fromEntries(named);
}

function operation(name: 'purge' | 'expire', summary: string, did: string): CommandSpec {
  const spec = {
    name,
    usage: '(URL | --url URL | --prefix URL | --tag WORD) [flags]',
    summary,
    flags: NAMING,
    maxOperands: 1,
  };
  return command(spec, async (operator, given) => {
    const named = namedBy(given);
    const reply = await operator.ask(`/v1/${name}`, { method: 'POST', json: named });
    return { reply, told: countsLine(did, named, reply.content) };
  });
}

const REFRESH = command(
  {
    name: 'refresh',
    usage: '(URL | --url URL | --prefix URL | --tag WORD) [--wait] [flags]',
    summary: 'ask the origin by condition whether what is stored is still right',
    flags: [...NAMING, WAIT, FILL],
    maxOperands: 1,
  },
  async (operator, given) => {
    const named = namedBy(given);
    const json = { ...named, wait: isGiven(given, 'wait'), fill: isGiven(given, 'fill') };
    const reply = await operator.ask('/v1/refresh', { method: 'POST', json });
    return { reply, told: refreshLine(named, json, reply.content) };
  },
);

const LIST = command(
  {
    name: 'list',
    usage: '[--prefix URL] [--tag WORD] [--phase PHASE] [flags]',
    summary: 'what is stored',
    flags: LIST_FLAGS,
  },
  async (operator, given) => {
    const limit = Number(lastValue(given, 'limit') ?? DEFAULT_LIMIT);
    if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit: expected a whole number from 1 on');
    const query = new URLSearchParams();
    for (const { name } of LIST_FLAGS) {
      const value = lastValue(given, name);
      if (value !== undefined && name !== 'limit') query.set(name.replace('-', '_'), value);
    }
    const objects: unknown[] = [];
    let total: unknown = 0;
    let next: unknown = '0';
    while (typeof next === 'string' && objects.length < limit) {
      query.set('cursor', next);
      query.set('limit', String(Math.min(limit - objects.length, DEFAULT_LIMIT)));
      const { content } = await operator.ask(`/v1/objects?${query}`);
      if (Array.isArray(content['objects'])) objects.push(...content['objects']);
      total = content['total_stored'];
      next = content['next'];
    }
    const content = { objects, total_stored: total, is_complete: next === undefined };
    const ending = `${objects.length} shown${next === undefined ? '' : ', there are more: --limit'}; ${total} stored in all`;
    return {
      reply: { status: 200, content },
      told: { lines: [...tableOf(objects), ending], exitCode: objects.length === 0 ? 1 : 0 },
    };
  },
);

const SHOW = command(
  {
    name: 'show',
    usage: 'URL [flags]',
    summary: 'all there is to say of what is stored for a URL',
    flags: [],
    maxOperands: 1,
  },
  async (operator, given) => {
    const [url] = given.operands;
    if (url === undefined) throw new UsageError('expected the URL to show');
    const reply = await operator.ask(`/v1/objects?url=${encodeURIComponent(url)}`);
    return { reply, told: { lines: objectLines(reply.content), exitCode: 0 } };
  },
);

const UPDATE = command(
  {
    name: 'update',
    usage: "URL FILE [--header 'name: value'] [--status NUMBER] [flags]",
    summary: 'push a response for a URL: it is stored as if the origin had sent it',
    flags: [HEADER, STATUS],
    maxOperands: 2,
    doc: [
      'FILE is the body. A header such as Cache-Control: max-age=60 says how long it is fresh, unless the rule does.',
      'Where it has Vary, give what selects it as Patina-Request-NAME: -H "Patina-Request-Accept-Language: de".',
    ],
  },
  async (operator, given) => {
    const [url, file] = given.operands;
    if (url === undefined || file === undefined)
      throw new UsageError('expected the URL, and the FILE that is the body');
    const fields = allValues(given, 'header').map(headerOf);
    const status = lastValue(given, 'status');
    const query = new URLSearchParams({ url, ...(status === undefined ? {} : { status }) });
    const body = bodyOf(file);
    const reply = await operator.ask(`/v1/objects?${query}`, { method: 'PUT', body, fields });
    const { bytes, fresh_for_ms: freshMs } = reply.content;
    const line = `stored ${bytes} bytes for ${url}, fresh for ${Math.round(Number(freshMs ?? 0) / 1000)} s`;
    return { reply, told: { lines: [line], exitCode: 0 } };
  },
);

function headerOf(line: string): readonly [string, string] {
  const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw new UsageError(`--header: expected 'name: value', got ${JSON.stringify(line)}`);
  return [name, value];
}

function bodyOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CommandFailure(2, `${file} cannot be read: ${whyUnreadable(error)}`);
  }
}

const CONFIG = command(
  {
    name: 'config',
    usage: '[flags]',
    summary: 'the configuration in force, as it was written, secrets hidden',
    flags: [],
  },
  async (operator) => {
    const reply = await operator.ask('/v1/config');
    const { file, generation, since, config } = reply.content;
    const head = `# ${file ?? 'no conf file'}; number ${generation} since the start, in force since ${since}`;
    return { reply, told: { lines: [head, JSON.stringify(config, null, 2)], exitCode: 0 } };
  },
);

const RELOAD = command(
  { name: 'reload', usage: '[flags]', summary: 'have the conf file read again and put in force', flags: [] },
  async (operator) => {
    const reply = await operator.ask('/v1/reload', { method: 'POST' }, [422]);
    const { changed, problems, detail } = reply.content;
    if (Array.isArray(problems))
      return { reply, told: { lines: [String(detail), ...problems.map(String)], exitCode: 1 } };
    const lines = Array.isArray(changed) ? changed.map(String) : [];
    return { reply, told: { lines: [`reloaded, changes: ${lines.length}`, ...lines], exitCode: 0 } };
  },
);

const WARM = command(
  {
    name: 'warm',
    usage: '[flags]',
    summary: 'have the sitemaps read now, and what they list filled and revalidated',
    flags: [],
  },
  async (operator) => {
    const reply = await operator.ask('/v1/warm', { method: 'POST' });
    const { sitemaps } = reply.content;
    const line = `warming from ${sitemaps} sitemap${sitemaps === 1 ? '' : 's'}; the log says how it went`;
    return { reply, told: { lines: [line], exitCode: 0 } };
  },
);

const DRAIN = command(
  {
    name: 'drain',
    usage: '[flags]',
    summary: 'end the proxy: nothing new is accepted, running requests finish',
    flags: [],
  },
  async (operator) => {
    const reply = await operator.ask('/v1/drain', { method: 'POST' });
    return { reply, told: { lines: ['draining'], exitCode: 0 } };
  },
);

export const OPERATION_COMMANDS: readonly CommandSpec[] = [
  operation('purge', 'take out what is stored, and what is on its way', 'purged'),
  operation('expire', 'make what is stored stale now; grace and keep go on', 'expired'),
  REFRESH,
  UPDATE,
  LIST,
  SHOW,
  WARM,
  CONFIG,
  RELOAD,
  DRAIN,
];
