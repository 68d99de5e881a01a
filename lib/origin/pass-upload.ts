/**
 * The body of a request on its way through the pass lane: from the client, at the pace at which the origin takes it.
 * Implements RFC 9110 §6.5, §10.1.1 and RFC 9112 §8, §9.5 for requests.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { MAX_LINGER_BYTES } from '../base/limits.js';
import { sendHead, trailerPairs } from './pass.js';

export interface UploadListener {
  begun(): void;
  /** A piece came from the client, or was taken by the origin. */
  moved(): void;
  /** The last byte is out. */
  sent(): void;
}

export class Upload {
  readonly #req: IncomingMessage;
  readonly #request: ClientRequest;
  readonly #listener: UploadListener;
  hasBegun = false;
  #isStopped = false;

  constructor(req: IncomingMessage, request: ClientRequest, listener: UploadListener) {
    this.#req = req;
    this.#request = request;
    this.#listener = listener;
  }

  get isRunning(): boolean {
    return this.hasBegun && !this.#request.writableFinished;
  }

  /** Sends the head, then waits for the origin's 100, or for a client that does not wait (RFC 9110 §10.1.1). */
  awaitContinue(): void {
    const go = (): void => {
      this.#req.off('readable', go);
      this.#request.off('continue', go);
      this.begin();
    };
    this.#request.once('continue', go);
    this.#request.once('response', () => {
      this.#req.off('readable', go);
      this.#isStopped ||= !this.hasBegun;
    });
    this.#req.once('readable', go);
    sendHead(this.#request);
  }

  begin(): void {
    const req = this.#req;
    const request = this.#request;
    if (this.#isStopped || this.hasBegun) return;
    this.hasBegun = true;
    this.#listener.begun();
    req.once('end', () => {
      const trailers = trailerPairs(req.rawTrailers);
      if (trailers !== undefined && !request.destroyed) request.addTrailers(trailers);
    });
    req.on('data', () => this.#listener.moved());
    request.on('drain', () => this.#listener.moved());
    request.once('finish', () => this.#listener.sent());
    // Not only with the first byte of the body, which may be long in coming.
    if (!request.headersSent) sendHead(request);
    req.pipe(request);
  }

  /** What is left is for nobody. */
  stop(): void {
    this.#isStopped = true;
    this.#req.unpipe(this.#request);
    dropRest(this.#req);
  }
}

/**
 * Reads what is left of a request for nobody, and drops it, so that its client, which may send all before it reads, comes to its reply: up to a
 * bound. Beyond, nothing is read before the reply is out, and the connection ends behind that (RFC 9112 §9.6).
 */
export function dropRest(req: IncomingMessage): void {
  let droppedBytes = 0;
  req.on('data', (bytes: Buffer) => {
    droppedBytes += bytes.length;
    if (droppedBytes > MAX_LINGER_BYTES) req.pause();
  });
  req.resume();
}
