/**
 * Replies of one connection in the order of its requests, without node:http's server. Most go out directly when their
 * turn comes; node:http's objects are made where the pass lane asks for them, and get the socket then.
 * Implements RFC 9112 §9.3.2 (order) and §9.6 (the end behind a last reply).
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Fields } from '../http/fields.js';
import type { DirectTurn } from './direct.js';
import type { Wire } from './pass-lane.js';

/** node's own marks of a reply that is not done (test/front/turns.test.ts fails where a version of Node has others). */
interface ReplyState {
  /** The connection ends behind it. */
  _last: boolean;
}

/** Whose replies these are. */
export interface TurnsOwner {
  /** Something has gone out and left room. */
  goOn(): void;
  /** The last reply is out. */
  end(): void;
}

export class Turns {
  readonly #socket: Socket;
  /** Requests whose replies have not gone out, oldest first. */
  readonly #waiting: PlainWire[] = [];
  readonly #owner: TurnsOwner;

  constructor(socket: Socket, owner: TurnsOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** Bytes that wait for their turn. */
  get unsentBytes(): number {
    let bytes = 0;
    for (const wire of this.#waiting) bytes += wire.unsentBytes;
    return bytes;
  }

  /** Whether nothing is still to be said to any of them. */
  get areReplied(): boolean {
    return this.#waiting.every((wire) => wire.isReplied);
  }

  /** The next request. `isLast`: its client wants no further reply on this connection. */
  take(method: string, target: string, fields: Fields, isLast: boolean): PlainWire {
    const wire = new PlainWire(this, this.#socket, method, target, fields, isLast);
    this.#waiting.push(wire);
    return wire;
  }

  /** Whether it is the turn of this one. */
  isFirst(wire: PlainWire): boolean {
    return this.#waiting[0] === wire;
  }

  /** A reply is out whole. */
  done(wire: PlainWire, res: ServerResponse): void {
    this.#forget(wire);
    res.detachSocket(this.#socket);
    process.nextTick(() => {
      res.destroyed = true;
      res.emit('close');
    });
    if ((res as unknown as ReplyState)._last) this.#owner.end();
    else this.#waiting[0]?.begin();
    this.#owner.goOn();
  }

  /** A reply is out whole that went past node's objects. */
  sent(wire: PlainWire): void {
    this.#forget(wire);
  }

  /** And has been told of. `endsConnection`: it was the last. */
  moved(endsConnection: boolean): void {
    if (endsConnection) this.#owner.end();
    else this.#waiting[0]?.begin();
    this.#owner.goOn();
  }

  #forget(wire: PlainWire): void {
    const waiting = this.#waiting;
    if (waiting.length === 1 && waiting[0] === wire) waiting.pop();
    else if (waiting.includes(wire)) waiting.splice(waiting.indexOf(wire), 1);
  }

  /** The client has ended its side: the newest reply is the last. False where nothing waits. */
  endAfterNewest(): boolean {
    const newest = this.#waiting[this.#waiting.length - 1];
    newest?.endAfter();
    return newest !== undefined;
  }

  /** The client takes bytes again. */
  drained(): void {
    this.#waiting[0]?.drained();
  }
}

/** One request's objects of node:http, made when they are asked for. */
export class PlainWire implements Wire, DirectTurn {
  readonly upgrade = undefined;
  readonly #turns: Turns;
  readonly #socket: Socket;
  readonly #method: string;
  readonly #target: string;
  readonly #fields: Fields;
  readonly isLast: boolean;
  #endsConnection = false;
  #req: IncomingMessage | undefined;
  #res: ServerResponse | undefined;
  /** Its reply went past node's objects. */
  #isWritten = false;
  /** Its reply waits for its turn: what to do then, and how much it is. */
  #onFirst: (() => void) | undefined;
  #wholeBytes: number | undefined;
  #onDrain: (() => void) | undefined;

  constructor(turns: Turns, socket: Socket, method: string, target: string, fields: Fields, isLast: boolean) {
    this.#turns = turns;
    this.#socket = socket;
    this.#method = method;
    this.#target = target;
    this.#fields = fields;
    this.isLast = isLast;
  }

  /** The request, complete and without a body, as far as the pass lane looks at it: `headers` stays empty. */
  get req(): IncomingMessage {
    if (this.#req === undefined) {
      const req = new IncomingMessage(this.#socket);
      req.method = this.#method;
      req.url = this.#target;
      req.httpVersion = '1.1';
      req.httpVersionMajor = 1;
      req.httpVersionMinor = 1;
      req.rawHeaders = [...this.#fields.raw];
      req.complete = true;
      req.push(null);
      this.#req = req;
    }
    return this.#req;
  }

  get res(): ServerResponse {
    if (this.#res === undefined) {
      const head = { method: this.#method, httpVersionMajor: 1, httpVersionMinor: 1, headers: {} };
      const res = new ServerResponse(head as IncomingMessage);
      res.shouldKeepAlive = !this.isLast;
      if (this.#endsConnection) (res as unknown as ReplyState)._last = true;
      // First of all listeners, as in node:http: the next reply has the socket before anybody hears of this one's end.
      res.on('finish', () => this.#turns.done(this, res));
      this.#res = res;
      if (this.#turns.isFirst(this)) this.begin();
    }
    return this.#res;
  }

  get turn(): DirectTurn {
    return this;
  }

  get isFree(): boolean {
    return this.#res === undefined && this.#socket.writable;
  }

  get isFirst(): boolean {
    return this.#turns.isFirst(this);
  }

  whenFirst(run: () => void, wholeBytes: number | undefined): void {
    this.#onFirst = run;
    this.#wholeBytes = wholeBytes;
  }

  onDrain(run: () => void): void {
    this.#onDrain = run;
  }

  written(): void {
    this.#isWritten = true;
  }

  sent(): void {
    this.#turns.sent(this);
  }

  moved(endsConnection: boolean): void {
    this.#turns.moved(endsConnection || this.#endsConnection);
  }

  get isReplied(): boolean {
    return this.#isWritten || this.#wholeBytes !== undefined || this.#res?.writableEnded === true;
  }

  get unsentBytes(): number {
    if (this.#onFirst !== undefined) return this.#wholeBytes ?? 0;
    const res = this.#res;
    return res === undefined || res.socket !== null ? 0 : res.writableLength;
  }

  /** Its turn has come. */
  begin(): void {
    const run = this.#onFirst;
    this.#onFirst = undefined;
    run?.();
    if (this.#res?.socket === null && !this.#socket.destroyed) this.#res.assignSocket(this.#socket);
  }

  endAfter(): void {
    this.#endsConnection = true;
    if (this.#res !== undefined) (this.#res as unknown as ReplyState)._last = true;
  }

  drained(): void {
    this.#onDrain?.();
    const res = this.#res;
    if (res === undefined || res.socket === null) return;
    for (const mark of Object.getOwnPropertySymbols(res)) {
      if (mark.description === 'kNeedDrain') (res as unknown as Record<symbol, unknown>)[mark] = false;
    }
    res.emit('drain');
  }
}
