/** A proxy as its owner sees it: alone, or as one of several parts behind one port. */
import type { AdminReply } from '../admin/problem.js';
import type { Clock } from '../base/clock.js';
import type { Engine } from '../engine/engine.js';
import type { Leases, LeasesBeyond } from '../engine/leases-contract.js';
import type { Operations } from '../engine/operations.js';
import type { Siblings } from '../engine/siblings-contract.js';
import type { Handle } from '../front/read-into.js';
import type { Events } from '../observe/events.js';
import type { FamilyReading } from '../observe/families.js';
import type { LogDestination } from '../observe/log-destination.js';
import type { Notice } from '../observe/states.js';
import type { Terminal } from '../warm/progress.js';
import type { Preparation, ReloadOutcome, Source } from './reload.js';

export interface ProxyOptions {
  readonly clock?: Clock | undefined;
  /** Further listeners to what happens. */
  readonly events?: readonly Events[] | undefined;
  /** Where the access log goes: a descriptor, a path or a stream; default: stdout. */
  readonly logDestination?: LogDestination | undefined;
  readonly version?: string | undefined;
  /** The configuration as a person wrote it, to tell what a reload changed. */
  readonly written?: unknown;
  /** The operators' token, where admin.token_file names none. */
  readonly adminToken?: string | undefined;
  /** Where the progress of warming is shown to a person; undefined: nowhere. */
  readonly terminal?: Terminal | undefined;
  /** The conf file, to be shown to operators. */
  readonly file?: string | undefined;
  /** Reads the configuration again, for reload(). Throws a ConfigError. */
  readonly read?: (() => Source) | undefined;
}

export interface Proxy {
  /** Listens. Resolves with the addresses, `HOST:PORT`; rejects where one cannot be had. */
  start(): Promise<{ readonly listen: string; readonly admin: string | undefined }>;
  /**
   * Reads the configuration again and puts it in force between two requests. What is stored stays, connections stay; where
   * it is wrong, or an address cannot be had, nothing changes. Never rejects: the outcome says what is wrong.
   */
  reload(): Promise<ReloadOutcome>;
  /** Resolves when an operator asks that this proxy drains and ends. */
  readonly leaving: Promise<void>;
  /** Stops accepting, lets running requests finish within the limit of the configuration, then closes all. */
  drain(): Promise<void>;
  /** Cuts everything off. */
  close(): Promise<void>;
  /** What an operator can do to what is stored. */
  readonly operations: Operations;
  /** Resolves when what is stored now is as lasting as the configuration has it. */
  settled(): Promise<void>;
  /** Takes out all that is stored for a URL, fills in flight included. Undefined where it is no URL. */
  purgeUrl(url: string): number | undefined;
}

/** Leases among the parts, which take those of the machines once they are held. */
export interface PartLeases extends Leases {
  beyond: LeasesBeyond | undefined;
}

/** A proxy that is one of several behind one port: others listen for it, and say to the operator what it has. */
export interface PartOptions extends ProxyOptions {
  /** Our name in Via, which all of them have, so that each knows a request that another has sent. */
  readonly pseudonym: string;
  /** Between the parts. */
  readonly leases: PartLeases;
  readonly siblings: Siblings;
  /** Tells what state something is in that all parts have, once for all of them. Returns whether it is on its way. */
  readonly noticed: (notice: Notice) => boolean;
  /** Which of them it is: no other has or had this number. */
  readonly member: number;
  /** Whether it is the one that writes to disk what is to be written once for all of them. */
  readonly isFirst: boolean;
}

export interface Part {
  readonly engine: Engine;
  readonly events: Events;
  /** Connections of clients that are open. */
  readonly connections: number;
  /** A connection of a client. `isMore`: as for Front.take(). */
  take(handle: Handle, isMore: boolean): void;
  start(): Promise<unknown>;
  /** It counts as one of them: from now on it may do something without having been asked to. */
  begin(): void;
  /** Has what another configuration needs. Rejects with a ConfigError, with nothing changed. */
  prepare(next: Source): Promise<Preparation>;
  /** `GET /v1/objects`, of this part. */
  objects(query: URLSearchParams): AdminReply;
  /** Begins a round of warming. */
  warm(): number;
  readings(): Promise<readonly FamilyReading[]>;
  /** Lets running requests finish within that time, then closes all. */
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}
