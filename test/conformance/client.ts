/**
 * The `fetch` that the suite's client is given. The suite is written for node-fetch, which sends what it is told;
 * the fetch of Node.js adds Cache-Control, Pragma and others of its own to conditional requests, and would test itself.
 * Every exchange is noted, so that the story of a failed test can be told.
 */
import { request } from 'node:http';
import { type Dispatcher, fetch as undiciFetch } from 'undici';

/** A proxy that gives no answer within this fails the test. */
const ANSWER_TIMEOUT_MS = 10_000;

interface Init {
  readonly method?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly signal?: AbortSignal;
  /** Given where the suite wants to see interim responses: it listens in an interceptor of undici. */
  readonly dispatcher?: Dispatcher;
}

export interface SuiteResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  text(): Promise<string>;
}

export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly requestFields: readonly (readonly [string, string])[];
  status?: number;
  responseFields?: readonly (readonly [string, string])[];
  body?: string;
  error?: string;
}

function toPairs(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) pairs.push([raw[i] ?? '', raw[i + 1] ?? '']);
  return pairs;
}

/** Through undici: its own `fetch` adds fields, but to no test of interim responses do they matter. */
async function exchangeByUndici(
  url: string,
  init: Init,
  dispatcher: Dispatcher,
  note: Exchange,
): Promise<SuiteResponse> {
  const headers = note.requestFields.map(([name, value]): [string, string] => [name, value]);
  const response = await undiciFetch(url, { method: note.method, headers, dispatcher, signal: init.signal ?? null });
  const body = await response.text();
  Object.assign(note, { status: response.status, responseFields: [...response.headers], body });
  return {
    status: response.status,
    statusText: response.statusText,
    headers: new Headers([...response.headers]),
    text: () => Promise.resolve(body),
  };
}

function exchange(url: string, init: Init, note: Exchange): Promise<SuiteResponse> {
  return new Promise((resolve, reject) => {
    const body = init.body === undefined ? undefined : Buffer.from(init.body);
    const fields = [...note.requestFields];
    if (body !== undefined) fields.push(['Content-Length', String(body.byteLength)]);
    const target = new URL(url);
    const outgoing = request(target, {
      method: note.method,
      headers: [['Host', target.host], ...fields, ['Connection', 'close']].flat(),
      agent: false,
      timeout: ANSWER_TIMEOUT_MS,
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS} ms`)));
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const pairs = toPairs(incoming.rawHeaders);
        Object.assign(note, { status: incoming.statusCode, responseFields: pairs, body: text });
        resolve({
          status: incoming.statusCode ?? 0,
          statusText: incoming.statusMessage ?? '',
          headers: new Headers(pairs),
          text: () => Promise.resolve(text),
        });
      });
    });
    outgoing.end(body);
  });
}

export interface Client {
  fetch(this: void, url: string, init?: Init): Promise<SuiteResponse>;
  /** The exchanges whose URL holds `token`, in order. */
  story(token: string): readonly Exchange[];
}

export function makeClient(): Client {
  const exchanges: Exchange[] = [];
  return {
    async fetch(url, init = {}) {
      const note: Exchange = { method: init.method ?? 'GET', url, requestFields: [...(init.headers ?? [])] };
      exchanges.push(note);
      try {
        const { dispatcher } = init;
        if (dispatcher !== undefined) return await exchangeByUndici(url, init, dispatcher, note);
        return await exchange(url, init, note);
      } catch (error) {
        note.error = error instanceof Error ? error.message : String(error);
        throw error;
      }
    },
    story: (token) => exchanges.filter((noted) => noted.url.includes(token)),
  };
}
