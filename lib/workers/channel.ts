/**
 * One end of the line between the primary process and a worker: messages, and questions with answers. What is not taken
 * is bounded, what is not answered has a time, and a line that breaks answers all that is open.
 */
import type { Clock, Timer } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import { MAX_OPEN_QUESTIONS, MAX_UNSENT_MESSAGES } from '../base/worker-limits.js';
import type { Answer, Asked, QuestionName } from './messages.js';

/** Sends a message; `done` is called once the system has taken it, or never will. */
export type SendMessage = (message: object, done: (error?: Error | null) => void) => void;

/** The other process did not answer: it is gone, too slow, or has too much to do. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
}

/** Answers a question of the other end. */
export type Answering = (name: string, asked: object) => Promise<unknown>;

interface Open {
  settle(answer: unknown, error?: Error): void;
}

export interface ChannelOptions {
  readonly clock: Clock;
  readonly send: SendMessage;
  /** The other end does not take what it is told. */
  readonly congested: () => void;
  readonly answering: Answering;
}

export class Channel<Message extends { readonly kind: string }> {
  readonly #options: ChannelOptions;
  readonly #open = new Map<number, Open>();
  #nextId = 1;
  #unsentCount = 0;
  #isGone = false;

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Returns whether it is on its way: not where the line is gone, or too much waits to be taken. */
  tell(message: Message): boolean {
    return this.#send(message);
  }

  #send(message: object): boolean {
    if (this.#isGone) return false;
    if (this.#unsentCount >= MAX_UNSENT_MESSAGES) {
      this.#options.congested();
      return false;
    }
    this.#unsentCount++;
    this.#options.send(message, () => {
      this.#unsentCount--;
    });
    return true;
  }

  /** Rejects with a NoAnswerError where none comes in time, and with a ConfigError where the other end cannot. */
  ask<Q extends QuestionName>(name: Q, asked: Asked<Q>, timeoutMs: number): Promise<Answer<Q>> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const refuse = (why: string): void => reject(new NoAnswerError(`${name}: ${why}`));
      if (this.#open.size >= MAX_OPEN_QUESTIONS) {
        refuse('too many questions are open');
        return;
      }
      let timer: Timer | undefined;
      this.#open.set(id, {
        settle: (answer, error) => {
          timer?.cancel();
          this.#open.delete(id);
          // Both ends are of one version: what answers this question is what its type says.
          if (error === undefined) resolve(answer as Answer<Q>);
          else reject(error);
        },
      });
      if (!this.#send({ kind: 'question', id, name, asked })) {
        this.#open.delete(id);
        refuse('the other process takes nothing');
        return;
      }
      timer = this.#options.clock.after(timeoutMs, () => {
        this.#open.get(id)?.settle(undefined, new NoAnswerError(`${name}: no answer in ${timeoutMs} ms`));
      });
    });
  }

  /** Takes what is a question or an answer. Returns whether it was. */
  heard(message: { readonly kind: string }): boolean {
    switch (message.kind) {
      case 'question': {
        const { id, name, asked } = message as { id: number; name: string; asked: object } & typeof message;
        void this.#answer(id, name, asked);
        return true;
      }
      case 'answer': {
        const { id, value } = message as { id: number; value: unknown } & typeof message;
        this.#open.get(id)?.settle(value);
        return true;
      }
      case 'failed': {
        const { id, problems } = message as { id: number; problems: readonly string[] } & typeof message;
        this.#open.get(id)?.settle(undefined, new ConfigError(problems));
        return true;
      }
      default:
        return false;
    }
  }

  async #answer(id: number, name: string, asked: object): Promise<void> {
    try {
      this.#send({ kind: 'answer', id, value: await this.#options.answering(name, asked) });
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : [String(error)];
      this.#send({ kind: 'failed', id, problems });
    }
  }

  /** The line is broken. */
  gone(): void {
    this.#isGone = true;
    for (const open of [...this.#open.values()]) open.settle(undefined, new NoAnswerError('the other process is gone'));
  }
}
