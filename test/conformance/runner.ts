/**
 * Runs the suite's client against one proxy, as a worker thread: the suite keeps its results in its modules, and two
 * runs in one thread would meet there.
 */
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { type Exchange, makeClient } from './client.js';
import { enginePath, importSuite, loadGroups, type RawResults } from './suite.js';

export interface RunOrder {
  readonly folder: string;
  readonly base: string;
  /** Ids; all where undefined. */
  readonly only: readonly string[] | undefined;
  /** How many tests run at once. */
  readonly parallel: number;
}

export interface RunOutcome {
  readonly results: RawResults;
  /** By test id, what the client saw. */
  readonly stories: Readonly<Record<string, readonly Exchange[]>>;
}

interface Runner {
  runTests(tests: unknown, fetch: unknown, isBrowser: boolean, base: string, chunkSize: number): Promise<void>;
  getResults(): RawResults;
}

async function runSuite(order: RunOrder): Promise<RunOutcome> {
  const client = makeClient();
  // The release takes the function that it is given, the repository the one that it finds.
  Object.assign(globalThis, { fetch: client.fetch });
  const groups = await loadGroups(order.folder);
  const { only } = order;
  const chosen = groups.map((group) => ({
    ...group,
    tests: group.tests.filter((test) => only === undefined || only.includes(test.id)),
  }));
  const runner = await importSuite<Runner>(order.folder, enginePath(order.folder, 'client/runner.mjs'));
  await runner.runTests(chosen, client.fetch, false, order.base, order.parallel);
  const module = enginePath(order.folder, 'client/test.mjs');
  const { testUUIDs } = await importSuite<{ testUUIDs: Record<string, string> }>(order.folder, module);
  const stories = Object.entries(testUUIDs).map(([id, token]) => [id, client.story(token)] as const);
  return { results: runner.getResults(), stories: Object.fromEntries(stories) };
}

/** Runs it in a thread of its own. */
export function runInThread(order: RunOrder): Promise<RunOutcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: order });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the run ended with ${code} before it had results`)));
  });
}

if (parentPort !== null) {
  const outcome = await runSuite(workerData as RunOrder);
  parentPort.postMessage(outcome);
}
