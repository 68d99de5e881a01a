/** What every proxy of a bench is told, and how one is started. */
import type { Running, Scope } from '../scope.js';

export interface ProxySettings {
  readonly originPort: number;
  /** `origin`: what the origin's fields say; else this for every response. */
  readonly ttlSec: number | 'origin';
  /** Served stale meanwhile, where the origin does not say. */
  readonly graceSec: number;
  readonly memoryMB: number;
  /** For nginx: memory of its index, which is beside `memoryMB`. By default enough for half a million responses. */
  readonly keysMB?: number;
  /** For Patina: kept for validation when it may not be served any more, where the default is not wanted. */
  readonly keepSec?: number;
  readonly setCookie?: 'share' | 'refuse';
  /** For Patina: the size of a disk tier; without, there is none. */
  readonly diskMB?: number;
  /** For Patina: further lines of its conf file. */
  readonly extraConf?: string;
  /** For Patina: where its access log goes, as JSON lines; without, there is none. */
  readonly accessLogFile?: string;
  /** For Patina: further flags of node. */
  readonly nodeFlags?: readonly string[];
  /** For Patina: has a channel, over which a module that nodeFlags import can be asked. */
  readonly hasChannel?: boolean;
  /** False: on any core. */
  readonly pinned?: boolean;
}

/** One product: one file beside this one. */
export interface Maker {
  /** Of the program, for those that are installed and not built. */
  readonly program: string | undefined;
  /** The flag that shows its version. */
  readonly versionFlag: string;
  start(scope: Scope, settings: ProxySettings, port: number): Running;
}

/** Connections that each of them must take at once. */
export const MAX_CLIENTS = 12_000;
/** Connections of each to the origin. */
export const ORIGIN_CONNECTIONS = 64;
