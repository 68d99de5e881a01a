/**
 * One request and its reply: the record that the engine reads and the sink that it answers into, in one object, because there is
 * one of these for most requests. Here is the sink: by which way the reply goes out, in its turn, and what is told of it in the end.
 */
import type { PassPlan, Payload, Reply, ReplyNote, ReplySink } from '../engine/contract.js';
import type { Fields } from '../http/fields.js';
import { NO_BYTES } from '../object/chunks.js';
import type { Taken } from '../object/taken.js';
import { cutInTurn } from '../origin/cut-off.js';
import { Answered, CLIENT_LEFT, LEFT_NOTE, type ReplyEnding, refusedNote } from './answered.js';
import { BodyPump, isWrittenAtOnce, type PumpListener, takesTrailers } from './body-pump.js';
import type { Running } from './connection.js';
import { readContent } from './content.js';
import {
  asFarAsHere,
  type DirectTurn,
  mayComeWhole,
  sentPayload,
  wholeBytesOf,
  writeAsBytes,
  writeDirectly,
} from './direct.js';
import { DirectOut, whenTaken } from './direct-out.js';
import { sendInterim } from './interim.js';
import { writeAtOnce, writeReplyHead } from './node-reply.js';
import { leavePass, type PassEnd, startPass } from './pass-lane.js';
import { Received } from './received.js';
import { REFUSALS, type Refusal, refusalBytes, writeRefusalHead } from './refusal.js';
import { isBodiless, isUnsized, plainHead } from './reply-head.js';
import { takerOf } from './taker.js';

/** `open`: nothing was sent; `replying`: the reply goes out; `passed`: the pass lane has it; `settled`: what comes late is ignored. */
type State = 'open' | 'replying' | 'passed' | 'settled';

export class Exchange extends Received implements ReplySink, PumpListener, Running {
  #state: State = 'open';
  #gone: (() => void) | undefined;
  #pump: BodyPump | undefined;
  /** A reply that waits: for its turn, or for what of its body comes with it. */
  #held: Reply | undefined;
  /** The reply goes past node's objects. */
  #direct: DirectTurn | undefined;
  /** It is the last on its connection. */
  #isLast = false;
  #status = 0;
  #note: ReplyNote | undefined;
  #bodyBytes = 0;
  /** What the client takes of what is stored, or was. */
  #taken: Taken | undefined;
  /** Nothing but the end of the connection ends its reply. */
  #endsWithConnection = false;
  /** All of its reply is written, though the kernel may not have it. */
  #isWritten = false;
  /** The client was told why, and what the pass lane still says of the reply does not count. */
  #isCutOff = false;

  get isReplyBegun(): boolean {
    // One that waits is made, and so is as good as begun: it cannot be taken back for another.
    if (this.#state === 'replying') return true;
    if (this.wire.turn?.isFree === true) return false;
    return this.wire.res.headersSent;
  }

  get isDelimitedByClose(): boolean {
    return this.#endsWithConnection && (this.isUpgrade || this.wire.res.socket !== null);
  }

  /** The client takes bytes again. */
  drained(): void {
    this.wire.res.emit('drain');
  }

  inform(status: number, fields: Fields): void {
    if (this.#state !== 'open' || this.httpVersion === '1.0') return;
    const { turn } = this.wire;
    const socket = turn?.isFree === true && turn.isFirst ? this.connection.socket : this.wire.res.socket;
    sendInterim(socket, status, fields);
  }

  onGone(run: () => void): void {
    this.#gone = run;
  }

  faulted(error: unknown): void {
    this.connection.lane.faulted(this, error);
  }

  reply(reply: Reply): void {
    if (this.#state !== 'open') {
      if (reply.payload.kind === 'reader') reply.payload.reader.close();
      return;
    }
    this.#state = 'replying';
    this.#note = reply.note;
    this.#status = reply.status;
    if (reply.payload.kind !== 'none') this.#taken = reply.payload.taken;
    if (reply.payload.kind === 'reader' && !this.connection.isAlone(this)) {
      reply.payload.reader.takenBy?.(takerOf(this.wire, this.connection.socket));
    }
    this.#taken?.take();
    if (this.wire.upgrade !== undefined) this.connection.takeBack(this.wire.res, this.wire.upgrade.socket);
    const isEnding = reply.close === true || this.isReceiving || this.wire.upgrade !== undefined;
    if (isEnding) this.connection.closeAfter();
    const { turn } = this.wire;
    if (turn?.isFree !== true) this.#sendByNode(reply);
    else if (!turn.isFirst) this.#holdForTurn(reply, turn);
    else if (reply.payload.kind === 'reader') {
      this.#held = reply;
      process.nextTick(() => this.#attemptHeld());
    } else this.#sendDirectly(reply, turn);
  }

  #holdForTurn(reply: Reply, turn: DirectTurn): void {
    this.#held = reply;
    turn.whenFirst(() => this.#attemptHeld(), wholeBytesOf(reply.payload));
  }

  #attemptHeld(): void {
    this.#attempt(() => this.#sendHeld());
  }

  /** Its turn has come, or the one in which the reply was made is over: what is here of its body goes out with the head. */
  #sendHeld(): void {
    const reply = this.#held;
    this.#held = undefined;
    if (reply === undefined || this.#state !== 'replying') return;
    const now = mayComeWhole(reply) ? asFarAsHere(reply) : reply;
    const { turn } = this.wire;
    if (turn?.isFree === true) this.#sendDirectly(now, turn);
    else this.#sendByNode(now);
  }

  /** Writes the reply past node's objects, now that it is its turn. */
  #sendDirectly(reply: Reply, turn: DirectTurn): void {
    const { socket, lane } = this.connection;
    const isLast = turn.isLast || this.connection.isLastReply(this);
    const isAlone = this.connection.isAlone(this);
    if (isAlone && reply.payload.kind !== 'reader') {
      const went = writeAsBytes(socket, reply, this.method === 'HEAD', lane.debugHeader, isLast);
      if (went !== undefined) {
        this.#direct = turn;
        this.#isLast = isLast;
        this.#bodyBytes = wholeBytesOf(reply.payload) ?? 0;
        this.#wrote(turn, went);
        return;
      }
    }
    let head: string;
    try {
      head = plainHead(reply, this.method, lane.debugHeader, isLast);
    } catch (error) {
      this.#unwritable(reply, error);
      return;
    }
    this.#direct = turn;
    this.#isLast = isLast;
    const payload = sentPayload(reply, this.method);
    if (!isWrittenAtOnce(payload)) {
      const out = new DirectOut(socket, turn, head, isUnsized(payload));
      this.#pump = new BodyPump(out, payload, takesTrailers(this.fields), this);
      this.#pump.start();
      return;
    }
    this.#bodyBytes = wholeBytesOf(payload) ?? 0;
    this.#wrote(turn, writeDirectly(socket, head, payload, isAlone));
  }

  /** All of the reply is written, and the kernel may have it by now. */
  #wrote(turn: DirectTurn, went: ReturnType<typeof writeDirectly>): void {
    this.#isWritten = true;
    turn.written();
    if (went !== 'begun') this.#over(went === 'taken' ? 'finished' : 'aborted');
    else this.connection.socket.write(NO_BYTES, (error) => this.#tookAll(error));
  }

  /** Told by the socket, which is not to hear of what throws here. */
  #tookAll(error?: Error | null): void {
    this.#attempt(() => this.#over(error == null ? 'finished' : 'aborted'));
  }

  #attempt(run: () => void): void {
    this.connection.lane.attempt(this, run);
  }

  /** The kernel has all of the reply. */
  #over(ending: ReplyEnding): void {
    const turn = this.#direct;
    turn?.sent();
    try {
      this.#settle(ending);
    } finally {
      turn?.moved(this.#isLast);
    }
  }

  #sendByNode(reply: Reply): void {
    let payload: Payload;
    try {
      payload = writeReplyHead(this.wire.res, reply, {
        method: this.method,
        httpVersion: this.httpVersion,
        isLast: this.connection.isLastReply(this),
        debugHeader: this.connection.lane.debugHeader,
      });
    } catch (error) {
      this.#unwritable(reply, error);
      return;
    }
    if (this.httpVersion === '1.0' && isUnsized(payload)) this.#endWithConnection();
    this.#send(payload);
  }

  #endWithConnection(): void {
    this.#endsWithConnection = true;
    this.connection.refuseNoMore();
  }

  #send(payload: Payload): void {
    const { res } = this.wire;
    if (!isWrittenAtOnce(payload)) {
      this.#pump = new BodyPump(res, payload, takesTrailers(this.fields), this);
      this.#pump.start();
      return;
    }
    if (payload.kind === 'bytes') this.#bodyBytes = payload.length;
    writeAtOnce(res, payload);
    this.#isWritten = true;
    // On the path of nearly every hit the kernel has taken all of it by now.
    if (res.socket !== null && res.socket.writableLength === 0) this.#attempt(() => this.#settle('finished'));
    else res.once('finish', () => this.#attempt(() => this.#settle('finished')));
  }

  /** A field of the reply cannot be written: something let it in that should not have. */
  #unwritable(reply: Reply, error: unknown): void {
    if (reply.payload.kind === 'reader') reply.payload.reader.close();
    this.connection.lane.events.notice('error', 'reply-unwritable', 'A reply had a field that cannot be written', {
      host: this.host,
      target: this.target,
      error: String(error),
    });
    this.#state = 'open';
    this.refuse(REFUSALS.internal);
  }

  /**
   * It could not be handled, by a fault of ours (decision 0041): a 500 is the reply where none was made. One that was made goes out where it
   * is here whole, and breaks off where not, in its turn. What was passed on is answered from there.
   */
  fail(): void {
    if (this.#state === 'open') this.refuse(REFUSALS.internal);
    else if (this.#state === 'replying' && !this.#isMade) this.broke();
  }

  /** Nor could that be done: who else is on its connection can be told nothing more that is to be relied on. */
  cutOff(): void {
    this.connection.endAtOnce();
  }

  /** Whether nothing of its reply is still to come. */
  get #isMade(): boolean {
    const held = this.#held;
    return this.#pump === undefined && (held === undefined ? this.#isWritten : held.payload.kind !== 'reader');
  }

  pumped(): void {
    this.#over('finished');
  }

  broke(): void {
    const cut = (): void => this.connection.cut();
    // A reset comes before the end that the connection is given where nothing runs any more.
    if (this.isDelimitedByClose) cut();
    this.#settle('aborted');
    if (this.#direct === undefined) cutInTurn(this.wire.res, this.#endsWithConnection, cut);
    else cut();
  }

  /** Replies with a refusal and closes the connection, but where the fault was ours and nothing of the request is to come. */
  refuse(refused: Refusal): void {
    if (this.#state !== 'open') return;
    const { lane } = this.connection;
    this.#state = 'replying';
    this.#note = refusedNote(refused);
    this.#status = refused.status;
    if (this.wire.upgrade !== undefined) this.connection.takeBack(this.wire.res, this.wire.upgrade.socket);
    const isWhole = this.httpVersion === '1.1' && !this.isReceiving && this.wire.upgrade === undefined;
    const isLast = refused !== REFUSALS.internal || !isWhole || this.connection.isLastReply(this);
    if (isLast) this.connection.closeAfter();
    const { turn } = this.wire;
    if (turn?.isFree === true && turn.isFirst) {
      this.#refuseDirectly(refused, turn, isLast || turn.isLast);
      return;
    }
    this.#send(writeRefusalHead(this.wire.res, refused, lane.clock.wall(), lane.style, isLast));
  }

  #refuseDirectly(refused: Refusal, turn: DirectTurn, isLast: boolean): void {
    const { lane, socket } = this.connection;
    this.#direct = turn;
    this.#isLast = isLast;
    this.#bodyBytes = refused.sentence.length + 1;
    socket.write(refusalBytes(refused, lane.clock.wall(), lane.style, this.method, isLast));
    this.#isWritten = true;
    turn.written();
    whenTaken(socket, (error) => this.#tookAll(error));
  }

  takeContent(maxBytes: number, done: (content: Buffer | undefined) => void): void {
    const { req, res } = this.wire;
    if (!this.hasBody) {
      done(NO_BYTES);
      return;
    }
    // RFC 9110 §10.1.1: the client waits for leave to send it. One that is passed gets it from the origin.
    if (this.expectsContinue && Number(this.fields.first('content-length') ?? 0) <= maxBytes) res.writeContinue();
    readContent(req, maxBytes, (content) => {
      if (this.#state === 'open') this.#attempt(() => done(content));
    });
  }

  pass(plan: PassPlan): void {
    if (this.#state !== 'open') return;
    this.#state = 'passed';
    try {
      startPass(this.connection, this, plan, this.wire);
    } catch (error) {
      // Nobody else would answer it.
      if (!this.wire.res.headersSent) this.#state = 'open';
      throw error;
    }
  }

  /** The pass lane has begun to answer. It has chunks neither for HTTP/1.0 nor behind an upgrade that was refused. */
  answering(status: number, note: ReplyNote, isSized: boolean): void {
    if (this.#isCutOff) return;
    const isChunkable = this.httpVersion === '1.1' && !this.isUpgrade;
    if (!isSized && !isChunkable && !isBodiless(this.method, status)) this.#endWithConnection();
    this.#status = status;
    this.#note = note;
  }

  /** The pass lane is through with it. */
  passed(end: PassEnd): void {
    if (this.#state !== 'passed') return;
    this.#bodyBytes = end.bodyBytes;
    // RFC 9112 §9.3: the rest of this body stands before the next request, and nobody reads it any more.
    if (this.isReceiving) this.connection.closeAfter();
    this.#settle(this.#isCutOff ? 'aborted' : end.ending);
  }

  /** The client left, or was cut off; `refused` says why, where it was told. */
  left(refused?: Refusal): void {
    if (this.#state === 'settled') return;
    const gone = this.#gone;
    this.#gone = undefined;
    if (refused !== undefined) {
      this.#isCutOff = true;
      this.#status = refused.status;
      this.#note = refusedNote(refused);
    }
    this.#attempt(() => {
      // The pass lane knows how far it came.
      if (this.#state !== 'passed') this.#settle('aborted');
      else if (!this.connection.socket.destroyed) leavePass(this.wire.res);
    });
    if (gone !== undefined) this.#attempt(gone);
  }

  #settle(ending: ReplyEnding): void {
    if (this.#state === 'settled') return;
    this.#state = 'settled';
    this.#gone = undefined;
    this.#taken?.giveBack();
    if (this.#held?.payload.kind === 'reader') this.#held.payload.reader.close();
    this.#held = undefined;
    if (this.#pump !== undefined) {
      this.#bodyBytes = this.#pump.sentBytes;
      this.#pump.stop();
    }
    if (ending === 'aborted') this.connection.brokeOff();
    const { lane } = this.connection;
    const now = lane.clock.now();
    const status = this.#note === undefined ? CLIENT_LEFT : this.#status;
    const bodyBytes = this.method === 'HEAD' ? 0 : this.#bodyBytes;
    try {
      lane.events.answered(new Answered(this, lane.wallLead, status, this.#note ?? LEFT_NOTE, bodyBytes, ending, now));
    } finally {
      this.connection.settled(this, now);
    }
  }
}
