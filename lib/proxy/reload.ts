/**
 * Another configuration for a running proxy. It is read and checked beside the one in force, what it needs is had
 * first (an address, a certificate), and only then is everything swapped, within one turn of the event loop: no request
 * sees a half of each. Whatever is wrong with it changes nothing.
 */
import type { Clock } from '../base/clock.js';
import { ConfigError } from '../base/errors.js';
import { changesBetween } from '../config/changes.js';
import type { Config } from '../config/schema.js';
import { isSecret, withoutSecrets } from '../config/secrets.js';
import type { Events } from '../observe/events.js';

/** A configuration, and what a person wrote to get it. */
export interface Source {
  readonly config: Config;
  readonly written: unknown;
  /** The conf file that it was read from, if any. */
  readonly file?: string | undefined;
}

export type ReloadOutcome =
  | { readonly kind: 'reloaded'; readonly changes: readonly string[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** The outcome as operators are told it. */
export function toldOutcome(outcome: ReloadOutcome): { changed: readonly string[] } | { problems: readonly string[] } {
  return outcome.kind === 'reloaded' ? { changed: outcome.changes } : { problems: outcome.problems };
}

/** What was had for a configuration that is not in force yet. */
export interface Preparation {
  /** Puts it in force. Must not fail, and must not wait. */
  commit(): void;
  /** Gives it up, as if it had never been asked for. In place of commit. */
  abandon(): Promise<void>;
}

export interface ReloadParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly first: Source;
  /** Reads the configuration again. Throws a ConfigError with all that is wrong. Undefined: there is none to read. */
  readonly read: (() => Source) | undefined;
  /** Rejects with a ConfigError where something that `next` needs cannot be had, with nothing changed. */
  prepare(next: Config, before: Config, source: Source): Promise<Preparation>;
}

const NOTHING_TO_READ = 'this proxy was started without a source to read its configuration from again';

export class Reloads {
  readonly #parts: ReloadParts;
  #current: Source;
  #running: Promise<ReloadOutcome> | undefined;
  /** Asked for while one was running: what is read then may be older than what was asked for. */
  #next: Promise<ReloadOutcome> | undefined;
  /** Configurations that were in force up to now, this one included. */
  generation = 1;
  /** Since when the present one is, by the wall clock. */
  since: number;

  constructor(parts: ReloadParts) {
    this.#parts = parts;
    this.#current = parts.first;
    this.since = parts.clock.wall();
  }

  get current(): Source {
    return this.#current;
  }

  /** What is in force, as operators are shown it. */
  get shown(): Readonly<Record<string, unknown>> {
    const { written, file } = this.#current;
    const since = new Date(this.since).toISOString();
    return { file: file ?? null, generation: this.generation, since, config: withoutSecrets(written) };
  }

  /** It is in force from now on. */
  adopt(next: Source): void {
    this.#current = next;
    this.generation++;
    this.since = this.#parts.clock.wall();
  }

  /** Reads the configuration again and puts it in force. One at a time; those who ask meanwhile share the next one. */
  reload(): Promise<ReloadOutcome> {
    if (this.#running === undefined) {
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.reload();
    });
    return this.#next;
  }

  async #run(): Promise<ReloadOutcome> {
    const { events, read, prepare } = this.#parts;
    try {
      if (read === undefined) throw new ConfigError([NOTHING_TO_READ]);
      const next = read();
      const { config: before, written } = this.#current;
      const preparation = await prepare(next.config, before, next);
      preparation.commit();
      this.adopt(next);
      const changes = changesBetween(written, next.written, isSecret);
      events.notice('info', 'reloaded', 'Another configuration is in force; what is stored was kept.', { changes });
      return { kind: 'reloaded', changes };
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems : [String(error)];
      const message = 'The new configuration was refused; the one before stays in force.';
      events.notice('error', 'reload-refused', message, { problems });
      return { kind: 'refused', problems };
    }
  }
}
