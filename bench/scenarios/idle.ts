/** Ten thousand clients that have had their answer and keep the connection. */
import { Client } from '../kit/client.js';
import { type Contestant, PLAIN_SETTINGS } from '../kit/fleet.js';
import { readUseOf } from '../kit/machine.js';
import { type Figure, judged, type Scenario } from '../kit/scenario.js';
import { pathOf } from '../kit/swift.js';

const CONNECTIONS = 10_000;
const QUICK_CONNECTIONS = 1_000;
/** Opened at once: less than any backlog. */
const WAVE = 250;
const BYTES = 1024;
const path = pathOf(BYTES, 3600, 'idle');

async function ask(client: Client): Promise<void> {
  const { status, bodyBytes } = await client.get(path);
  if (status !== 200 || bodyBytes < BYTES) throw new Error(`an answer of ${status} with ${bodyBytes} bytes`);
}

async function inWaves<T>(count: number, run: (at: number) => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let from = 0; from < count; from += WAVE) {
    const wave = Array.from({ length: Math.min(WAVE, count - from) }, (_, i) => run(from + i));
    all.push(...(await Promise.all(wave)));
  }
  return all;
}

async function measure({ name: subject, port, pids }: Contestant, connections: number): Promise<Figure[]> {
  // Bring its memory to where a busy server has it, so that the first growth is not taken for that of connections.
  for (const client of await inWaves(WAVE * 4, () => Client.open(port))) {
    await ask(client);
    client.close();
  }
  const before = readUseOf(pids);
  const clients: Client[] = [];
  try {
    await inWaves(connections, async () => {
      const client = await Client.open(port);
      clients.push(client);
      await ask(client);
    });
    const after = readUseOf(pids);
    const startedAt = performance.now();
    await inWaves(connections, (at) => ask(clients[at] ?? clients[0] ?? fail()));
    const eachUs = ((performance.now() - startedAt) / connections) * 1000;
    const growth = (after.rssBytes - before.rssBytes) / connections;
    return [
      {
        subject,
        what: 'memory of one',
        value: growth,
        unit: 'bytes',
        note: `RSS ${(after.rssBytes / 1e6).toFixed(0)} MB`,
      },
      { subject, what: 'connections kept and answered again', value: clients.length, unit: '' },
      { subject, what: 'answering all again, each', value: eachUs, unit: 'µs' },
    ];
  } finally {
    for (const client of clients) client.close();
  }
}

function fail(): never {
  throw new Error('no connection was opened');
}

export const idle: Scenario = {
  name: 'idle',
  about: `${CONNECTIONS} keep-alive connections (${QUICK_CONNECTIONS} where quick) that each had a hit of 1 KB, and have another`,
  hasRivals: true,
  async run(bench) {
    const { contestants, leftOut: absent } = await bench.fleet(PLAIN_SETTINGS);
    const leftOut = [...absent];
    const figures: Figure[] = [];
    const connections = bench.pick(CONNECTIONS, QUICK_CONNECTIONS);
    for (const [i, contestant] of contestants.entries()) {
      try {
        for (const figure of await measure(contestant, connections)) {
          const isKept = figure.what.startsWith('connections kept');
          const isMemory = figure.what.startsWith('memory');
          const target = isKept
            ? judged(bench, figure.subject, 'exactly', connections)
            : isMemory
              ? judged(bench, figure.subject, 'at most', 16 * 1024)
              : undefined;
          figures.push({ ...figure, target });
        }
      } catch (error) {
        if (i === 0) throw error;
        leftOut.push({ subject: contestant.name, why: error instanceof Error ? error.message : String(error) });
      }
    }
    return { figures, leftOut };
  },
};
