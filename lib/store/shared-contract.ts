/**
 * What the tier that machines share needs of a Redis: commands as sentences about keys, records, leases and the log of
 * operations. shared-table.ts says them to a server; tests play them in memory. Each may reject, hang, or be told a lie.
 *
 * All that belongs to one primary key lies under one name, and so in one slot of a Cluster. Instants are on the server's
 * clock (shared-clock.ts).
 */

export interface LookOrder {
  readonly name: string;
  readonly variant: string;
  readonly holder: string;
  readonly leaseMs: number;
  /** Only this variant, and only where its request was sent later. Undefined: all variants. */
  readonly knownAt: number | undefined;
  /** `take`: what is newer, else the lease. `blind`: the lease alone. `look`: what is newer, never the lease. */
  readonly mode: 'take' | 'blind' | 'look';
}

export interface LookReply {
  /** The server's clock. */
  readonly serverNow: number;
  /** `alone`: the responses of this key are not shared for now. */
  readonly kind: 'found' | 'held' | 'elsewhere' | 'alone' | 'none';
  /** `elsewhere`: for how long the lease lasts yet, unless it is renewed. */
  readonly leftMs: number;
  readonly records: readonly Buffer[];
  /** There was something under its name that is none of ours: it was taken away. */
  readonly isAlien: boolean;
}

/** Of which variant the lease is given back, where it is held. */
export interface LeasePlace {
  readonly name: string;
  readonly variant: string;
  /** Ends with a dot. To give back what a process that is gone may have held: what its holders begin with. */
  readonly holder: string;
}

export interface KeepOrder extends LeasePlace {
  readonly recordVariant: string;
  readonly key: string;
  readonly record: Buffer;
  readonly keepUntil: number;
  readonly requestedAt: number;
  /** What was asked for up to now by others must not come back. */
  readonly isPush: boolean;
  /** Published where it was kept. */
  readonly news: Buffer;
  /** Published where not. */
  readonly otherwise: Buffer;
}

export type KeepVerdict = 'kept' | 'older' | 'purged';

export interface OpsPage {
  readonly serverNow: number;
  /** Which data set this is: another one has forgotten what was in the one before. */
  readonly dataset: string;
  /** The oldest entry that is still there, and the time of it. Undefined: the log is empty. */
  readonly firstId: string | undefined;
  readonly entries: readonly (readonly [id: string, text: string])[];
}

export interface ScanPage {
  readonly cursor: string | undefined;
  readonly names: readonly string[];
}

export interface SharedListener {
  /** Something was published; `bytes` may be anything. */
  message(bytes: Buffer): void;
  /** Commands can be sent and messages are heard, from now on. */
  up(): void;
  /** They cannot any more. */
  down(reason: string): void;
  /** It wants no password, though one is configured. Told once. */
  unguarded(): void;
}

export interface SharedTable {
  look(order: LookOrder): Promise<LookReply>;
  /** Whether the lease is still held. */
  renew(place: LeasePlace, leaseMs: number): Promise<boolean>;
  keep(order: KeepOrder): Promise<KeepVerdict>;
  /** `aloneMs`: for how long nobody need ask for a lease of this key. */
  release(place: LeasePlace, news: Buffer, aloneMs: number): Promise<void>;
  /**
   * Drops what was asked for up to `at`, and refuses it for `tombMs`. Returns how many records that were. `isKnownOnly`: of
   * a name of which nothing is there, neither record nor lease, nothing is noted.
   */
  purgeName(name: string, at: number, tombMs: number, isKnownOnly: boolean): Promise<number>;
  /** All records of a name, with the variant of each. */
  records(name: string): Promise<readonly (readonly [variant: string, record: Buffer])[]>;
  /** Drops one record, where it is this one still. */
  drop(name: string, variant: string, record: Buffer): Promise<boolean>;
  readChunk(name: string, body: string, index: number): Promise<Buffer | undefined>;
  writeChunk(name: string, body: string, index: number, bytes: Buffer, ttlMs: number): Promise<void>;
  /** Whether it was there. */
  extendChunk(name: string, body: string, index: number, ttlMs: number): Promise<boolean>;
  noteTag(tag: string, name: string, until: number, serverNow: number): Promise<void>;
  /** Takes some names from the index of a tag. */
  takeTagged(tag: string, count: number): Promise<readonly string[]>;
  /** Appends to the log and publishes. */
  appendOp(text: string): Promise<void>;
  /** Publishes without a trace in the log. */
  publishOp(text: string): Promise<void>;
  /** Publishes what nobody heeds: rejects where nothing would be heard of what is published. */
  speak(): Promise<void>;
  /** Entries after `after`; from the beginning where that is undefined. */
  readOps(after: string | undefined, count: number): Promise<OpsPage>;
  scan(cursor: string | undefined): Promise<ScanPage>;
  /** Whether a command that failed so tells of one server among several, and nothing of the others. */
  isOfOne(error: unknown): boolean;
  /** Begins to connect, and tells what happens. */
  listen(to: SharedListener): void;
  /** Drops connections that may hang, and makes new ones. */
  reconnect(): void;
  close(): void;
}
