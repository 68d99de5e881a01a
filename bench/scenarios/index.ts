/** All scenarios, in the order in which they run: what leaves much behind in a shared cache comes late. */
import type { Scenario } from '../kit/scenario.js';
import { accessLog } from './access-log.js';
import { cold } from './cold.js';
import { connections } from './connections.js';
import { failing } from './failing.js';
import { fill } from './fill.js';
import { flood } from './flood.js';
import { freshen } from './freshen.js';
import { hit1k, hit1m, hit64k, hit100 } from './hits.js';
import { hung } from './hung.js';
import { idle } from './idle.js';
import { many } from './many.js';
import { million } from './million.js';
import { miss } from './miss.js';
import { missLatency } from './miss-latency.js';
import { mixed } from './mixed.js';
import { notModified } from './not-modified.js';
import { range } from './range.js';
import { storm } from './storm.js';
import { workers } from './workers.js';

export const SCENARIOS: readonly Scenario[] = [
  hit1k,
  hit100,
  hit64k,
  hit1m,
  notModified,
  range,
  connections,
  accessLog,
  workers,
  many,
  idle,
  mixed,
  miss,
  missLatency,
  fill,
  flood,
  storm,
  hung,
  cold,
  freshen,
  failing,
  million,
];
