/** One client of talks.test.ts: says what its plan holds, reads as the plan says, and judges what it was told, byte for byte. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { cutOff } from '../../lib/origin/cut-off.js';
import { BodyScanner, fieldOf, framingOf, Inbox, parseHead } from '../kit/message.js';
import type { Asked, Plan, Told } from './talk-plan.js';

/** Beyond: it hangs. Above all limits of the proxy that can follow one another. */
const PATIENCE_MS = 20_000;
const STALL_MS = 700;
const SLOW_BYTES = 30_000;
const SLOW_MS = 4;

export interface TalkTally {
  readonly flaws: string[];
  conversations: number;
  replies: number;
  failed: number;
}

interface Reply extends Told {
  readonly scanner: BodyScanner;
}

export class TalkClient {
  readonly #plan: Plan;
  readonly #name: string;
  readonly #tally: TalkTally;
  readonly #socket: Socket;
  readonly #inbox = new Inbox();
  readonly #replies: Reply[] = [];
  #received = 0;
  /** Which requests were told to go on. */
  readonly #continued = new Set<number>();
  #isTurned = false;
  #isGone = false;
  #ending: 'finished' | 'reset' | undefined;
  #wake: (() => void)[] = [];
  #fault: string | undefined;
  #isLate: boolean;

  constructor(port: number, name: string, plan: Plan, tally: TalkTally) {
    this.#plan = plan;
    this.#name = name;
    this.#tally = tally;
    this.#isLate = plan.reading === 'late';
    this.#socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    if (this.#isLate) this.#socket.pause();
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('end', () => this.#end('finished'));
    this.#socket.on('error', () => this.#end('reset'));
    this.#socket.on('close', () => this.#end('reset'));
    if (this.#isLate) this.#socket.pause();
  }

  #end(ending: 'finished' | 'reset'): void {
    this.#ending ??= ending;
    if (ending === 'finished') this.#replies.at(-1)?.scanner.end();
    this.#notify();
  }

  #notify(): void {
    for (const run of this.#wake.splice(0)) run();
  }

  #take(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#inbox.add(chunk);
    try {
      while (this.#read());
    } catch (error) {
      this.#fault ??= `breaks the grammar: ${error instanceof Error ? error.message : error}`;
    }
    this.#notify();
    this.#dawdle();
  }

  /** Takes bytes as the plan says, or goes. */
  #dawdle(): void {
    const { reading, going, turningPoint } = this.#plan;
    const socket = this.#socket;
    if (!this.#isTurned && this.#received >= turningPoint) {
      this.#isTurned = true;
      if (going === 'leaves' || going === 'resets') {
        this.#go();
        return;
      }
      if (reading === 'stalls') {
        socket.pause();
        setTimeout(() => socket.resume(), STALL_MS);
        return;
      }
    }
    if (reading === 'slow' && this.#received % SLOW_BYTES < SLOW_BYTES / 2) {
      socket.pause();
      setTimeout(() => socket.resume(), SLOW_MS);
    }
  }

  #go(): void {
    this.#isGone = true;
    if (this.#plan.going === 'resets') cutOff(this.#socket);
    else this.#socket.destroy();
  }

  /** One step through what came; false where more is needed. */
  #read(): boolean {
    const newest = this.#replies.at(-1);
    if (newest !== undefined && !newest.isWhole) {
      newest.scanner.feed(this.#inbox);
      if (!newest.isWhole) return false;
    }
    const text = this.#inbox.takeThrough('\r\n\r\n');
    if (text === undefined) return false;
    const { startLine, raw } = parseHead(text.slice(0, -4));
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(startLine)?.[1]);
    if (Number.isNaN(status)) throw new Error(`status line ${JSON.stringify(startLine)}`);
    if (status < 200) {
      if (status === 100) this.#continued.add(this.#replies.length);
      return true;
    }
    const asked = this.#plan.asked[this.#replies.length];
    if (asked === undefined && !(this.#plan.going === 'cuts-head' && status === 400)) {
      throw new Error(`a reply to nothing: ${startLine}`);
    }
    const isBare = asked?.method === 'HEAD' || status === 204 || status === 304;
    const scanner = new BodyScanner(isBare ? { kind: 'none' } : framingOf(raw, 'close'));
    this.#replies.push({
      status,
      scanner,
      field: (name) => fieldOf(raw, name),
      get body() {
        return scanner.bytes;
      },
      get isWhole() {
        return scanner.isComplete;
      },
    });
    return true;
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && this.#ending === undefined) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  async #speak(): Promise<void> {
    let answered = 0;
    for (const [bytes, ms] of this.#plan.pieces) {
      if (!this.#socket.writable) return;
      if (ms < 0) {
        // Up to the request whose content is held back.
        answered = this.#plan.asked.findIndex(({ content }, at) => content !== undefined && at >= answered) + 1;
        const wanted = answered;
        this.#socket.resume();
        await this.#until(() => this.#continued.has(wanted - 1) || this.#replies.length >= wanted);
        continue;
      }
      this.#socket.write(bytes);
      if (ms > 0) await pause(ms);
    }
    const { going } = this.#plan;
    if ((going === 'ends' || going === 'cuts-head') && this.#socket.writable) this.#socket.end();
    if (this.#isLate) {
      await pause(STALL_MS);
      this.#socket.resume();
    }
  }

  #isAnswered(): boolean {
    const { asked } = this.#plan;
    return this.#replies.length >= asked.length && this.#replies.at(-1)?.isWhole === true;
  }

  async talk(): Promise<void> {
    const { going, asked } = this.#plan;
    let isHung = false;
    const timer = setTimeout(() => {
      isHung = true;
      this.#end('reset');
    }, PATIENCE_MS);
    await this.#speak();
    const isTold = going === 'ends' || going === 'cuts-head' || asked.at(-1)?.isLast === true;
    await this.#until(() => this.#fault !== undefined || (!isTold && this.#isAnswered()));
    clearTimeout(timer);
    const flaw = isHung
      ? `no end: ${this.#replies.length} of ${asked.length} replies`
      : this.#fault === undefined
        ? this.#flaw()
        : `${this.#fault}, at the ${this.#replies.length}th reply, to ${asked[this.#replies.length - 1]?.name}`;
    if (flaw !== undefined) this.#tally.flaws.push(`${this.#name}, ${going}, ${this.#plan.reading}: ${flaw}`);
    this.#tally.conversations++;
    this.#socket.destroy();
  }

  #flaw(): string | undefined {
    const { asked, going } = this.#plan;
    for (const [at, told] of this.#replies.entries()) {
      const one = asked[at];
      if (one === undefined) continue;
      const flaw = one.flawOf(told);
      if (flaw !== undefined) return `reply ${at} to ${one.name}: ${flaw}`;
      if (told.status >= 500) this.#tally.failed++;
      this.#tally.replies++;
    }
    return this.#isGone || going === 'leaves' || going === 'resets' ? undefined : this.#whatIsMissing(asked);
  }

  /** Of a client that stayed and took everything. */
  #whatIsMissing(asked: readonly Asked[]): string | undefined {
    const newest = this.#replies.at(-1);
    const at = this.#replies.length - 1;
    if (asked.slice(at).some(({ mayReset }) => mayReset)) return undefined;
    if (this.#ending === 'reset') return `reset behind ${this.#replies.length} of ${asked.length} replies`;
    // Its head may have been lost with the rest of it.
    if (newest?.isWhole !== false && asked[at + 1]?.mayBreak === true) return undefined;
    if (newest !== undefined && !newest.isWhole) {
      return asked[at]?.mayBreak === true ? undefined : `reply ${at} to ${asked[at]?.name} broke off (${this.#ending})`;
    }
    if (this.#replies.length < asked.length) {
      return `the connection ended (${this.#ending}) before ${asked[at + 1]?.name}, behind ${newest?.status} (Connection: ${newest?.field('connection')}) to ${asked[at]?.name}`;
    }
    if (this.#plan.going === 'cuts-head' && this.#replies.length === asked.length) return 'no word of the cut head';
    return this.#inbox.length > 0 ? `${this.#inbox.length} bytes beyond the last reply` : undefined;
  }
}
