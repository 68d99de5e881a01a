/** The commands' way to the admin listener of a running proxy: its address, the token, one request, what it answers. */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { COMMAND_IDLE_TIMEOUT_MS } from '../base/admin-limits.js';
import { ConfigError } from '../base/errors.js';
import { whyUnreadable } from '../base/unreadable.js';
import { type Address, formatAddress, readAddress } from '../config/address.js';
import { loadConfig } from '../config/load.js';
import { TOKEN_VARIABLE } from '../config/token.js';
import { type Flag, type Given, lastValue, type Shell, UsageError } from './command.js';

/** Flags of every command that talks to a running proxy. */
export const OPERATOR_FLAGS: readonly Flag[] = [
  {
    name: 'admin',
    takes: 'HOST:PORT',
    doc: 'the admin listener of the running proxy; 127.0.0.1:8081 unless the conf file says another',
  },
  { name: 'config', takes: 'FILE', doc: 'the conf file of that proxy, for its admin.listen and admin.token_file' },
  {
    name: 'token-file',
    takes: 'FILE',
    doc: `the file that holds the token; without one the conf file's, or ${TOKEN_VARIABLE}`,
  },
  { name: 'json', doc: 'print what the proxy answers, for programs' },
];

const DEFAULT_ADDRESS: Address = { host: '127.0.0.1', port: 8081 };
const HERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Why a command could not be carried out, with its exit code. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface OperatorReply {
  readonly status: number;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface Asking {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** As JSON. */
  readonly json?: unknown;
  readonly body?: Buffer;
  readonly fields?: readonly (readonly [name: string, value: string])[];
}

/** A running proxy, as the flags name it. */
export class Operator {
  readonly #address: Address;
  readonly #token: string | undefined;

  private constructor(address: Address, token: string | undefined) {
    this.#address = address;
    this.#token = token;
  }

  /** Throws a UsageError or a CommandFailure. */
  static from(given: Given, { env }: Pick<Shell, 'env'>): Operator {
    const conf = confOf(lastValue(given, 'config'));
    const named = lastValue(given, 'admin');
    const reading = named === undefined ? undefined : readAddress(named);
    if (reading !== undefined && 'problem' in reading) throw new UsageError(`--admin: ${reading.problem}`);
    if (conf !== undefined && conf.listen === undefined && reading === undefined) {
      throw new UsageError('the conf file turns the admin listener off: there is nobody to ask');
    }
    const address = reading?.value ?? conf?.listen ?? DEFAULT_ADDRESS;
    const tokenFile = lastValue(given, 'token-file') ?? conf?.tokenFile;
    const token = tokenFile === undefined ? env[TOKEN_VARIABLE] : readTokenFile(tokenFile);
    return new Operator({ host: HERE[address.host] ?? address.host, port: address.port }, token);
  }

  /** One request. Throws a CommandFailure where it is not answered, or refused. `accepted`: further statuses to be given back. */
  async ask(target: string, asking: Asking = {}, accepted: readonly number[] = []): Promise<OperatorReply> {
    const { method = 'GET', json, body, fields = [] } = asking;
    const sentFields = [...fields];
    if (json !== undefined) sentFields.push(['Content-Type', 'application/json']);
    if (this.#token !== undefined && this.#token !== '') sentFields.push(['Authorization', `Bearer ${this.#token}`]);
    const sent = json === undefined ? body : Buffer.from(JSON.stringify(json));
    const at = formatAddress(this.#address);
    let answer: Answer;
    try {
      answer = await exchange(`http://${at}${target}`, method, sentFields, sent);
    } catch (error) {
      throw new CommandFailure(
        2,
        `no proxy answers at http://${at} (${causeOf(error)}): is it running, and is --admin right?`,
      );
    }
    const { status, phrase, text } = answer;
    const content = readContent(text);
    if (content === undefined)
      throw new CommandFailure(2, `what answers at http://${at} is no admin listener of patina`);
    if ((status >= 200 && status < 300) || accepted.includes(status)) return { status, content };
    throw new CommandFailure(1, [String(content['detail'] ?? phrase), ...hintsFor(status, this.#token)].join('\n'));
  }
}

interface Answer {
  readonly status: number;
  readonly phrase: string;
  readonly text: string;
}

/** Not fetch(): that asks no port that a browser must not ask, of which 6666 and 10080 are some. */
function exchange(url: string, method: string, fields: NonNullable<Asking['fields']>, sent?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: false, timeout: COMMAND_IDLE_TIMEOUT_MS }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.once('error', reject);
      incoming.once('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          phrase: incoming.statusMessage ?? '',
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    outgoing.once('error', reject);
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${COMMAND_IDLE_TIMEOUT_MS / 1000} s`)));
    for (const [name, value] of fields) outgoing.appendHeader(name, value);
    outgoing.end(sent);
  });
}

function hintsFor(status: number, token: string | undefined): string[] {
  if (status !== 401) return [];
  return [
    token === undefined
      ? `Give the token with --token-file FILE, with --config FILE where the conf file names it, or in ${TOKEN_VARIABLE}.`
      : 'Is it the token of this very proxy?',
  ];
}

function readContent(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : undefined;
  } catch {
    // Whatever it is, it is not what was asked.
    return undefined;
  }
}

function confOf(file: string | undefined): { listen: Address | undefined; tokenFile: string | undefined } | undefined {
  if (file === undefined) return undefined;
  try {
    return loadConfig({ file }).admin;
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandFailure(2, error.problems.join('\n'));
    throw error;
  }
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandFailure(2, `${file} cannot be read: ${whyUnreadable(error)}`);
  }
}

function causeOf(error: unknown): string {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return code ?? message ?? String(error);
}
