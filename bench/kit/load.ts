/** Load: wrk where it is installed, autocannon elsewhere and where a fixed rate is asked for. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AutocannonOrder } from './autocannon-main.js';
import { type LoadOrder, type LoadResult, type LoadTool, lastObject, outputOf } from './load-order.js';
import { findProgram, LOAD_CORE } from './machine.js';
import { kitModule } from './root.js';
import type { Scope } from './scope.js';
import { runWrk } from './wrk.js';

/** How a driver is chosen: PATINA_LOAD=autocannon takes it even where wrk is installed. */
export function loadTool(): LoadTool {
  return process.env['PATINA_LOAD'] === 'autocannon' || findProgram('wrk') === undefined ? 'autocannon' : 'wrk';
}

let serial = 0;

async function runAutocannon(scope: Scope, order: LoadOrder, fresh: string): Promise<LoadResult> {
  const file = join(scope.folder('autocannon'), 'order.json');
  writeFileSync(file, JSON.stringify({ ...order, fresh } satisfies AutocannonOrder));
  const args = [kitModule('autocannon-main.js'), file];
  const running = scope.start({ name: 'autocannon', command: process.execPath, args, core: LOAD_CORE });
  // Made by our own module, as the same type.
  return lastObject(await outputOf(running)) as unknown as LoadResult;
}

export async function load(scope: Scope, order: LoadOrder): Promise<LoadResult> {
  const prefix = order.traffic.kind === 'one' ? '' : order.traffic.prefix;
  const fresh = `${prefix}${process.pid}-${++serial}-`;
  const wrk = findProgram('wrk');
  return wrk === undefined || order.rate !== undefined || loadTool() === 'autocannon'
    ? runAutocannon(scope, order, fresh)
    : runWrk(scope, wrk, order, fresh);
}
