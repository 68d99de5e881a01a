/** The body of a request to the operator's listener: bounded, and asked for only when it is wanted (RFC 9110 §10.1.1). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ADMIN_MAX_BODY_BYTES } from '../base/admin-limits.js';
import { type AdminReply, makeProblem } from './problem.js';

export interface RequestBody {
  /** The media type in lower case, without parameters; undefined where none is given. */
  readonly mediaType: string | undefined;
  /** Length by Content-Length, where it is given. */
  readonly bytes: number | undefined;
  /** The bytes as they come. Throws where the client breaks off. */
  chunks(): AsyncIterable<Buffer>;
}

export function bodyOf(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): RequestBody {
  const length = req.headers['content-length'];
  return {
    mediaType: req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase(),
    bytes: length === undefined ? (req.headers['transfer-encoding'] === undefined ? 0 : undefined) : Number(length),
    chunks() {
      if (awaitsContinue) res.writeContinue();
      return req as AsyncIterable<Buffer>;
    },
  };
}

/** What was asked for, apart from what is answered: whatever a body says, it is no answer. */
export type ReadJson = { readonly read: Readonly<Record<string, unknown>> } | { readonly refused: AdminReply };

/** A map of JSON that a small body holds, or what to answer instead. */
export async function readJson(body: RequestBody): Promise<ReadJson> {
  const refuse = (...problem: Parameters<typeof makeProblem>): ReadJson => ({ refused: makeProblem(...problem) });
  if (body.mediaType !== 'application/json') {
    return refuse(415, 'This takes JSON: Content-Type: application/json.', { Accept: 'application/json' });
  }
  const tooLarge = refuse(413, `The body exceeds ${ADMIN_MAX_BODY_BYTES} bytes.`);
  if ((body.bytes ?? 0) > ADMIN_MAX_BODY_BYTES) return tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body.chunks()) {
    bytes += chunk.length;
    if (bytes > ADMIN_MAX_BODY_BYTES) return tooLarge;
    chunks.push(chunk);
  }
  let read: unknown;
  try {
    read = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    return refuse(400, `The body is not JSON: ${(error as Error).message}`);
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    return refuse(400, 'The body is not a JSON object such as {"url": "http://example.org/a"}.');
  }
  return { read: read as Record<string, unknown> };
}
