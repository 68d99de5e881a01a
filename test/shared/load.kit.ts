/** Clients of several machines at once, for what must not disturb them. */
import type { OpenProxy } from '../kit/proxy-kit.js';

const CLIENTS = 8;

/** Asks for pages again and again on both machines until it is told to stop; what went wrong. */
export async function load(
  machines: readonly OpenProxy[],
  pages: number,
  isOver: () => boolean,
): Promise<{ count: number; faults: string[] }> {
  let count = 0;
  const faults: string[] = [];
  const one = async (client: number): Promise<void> => {
    for (let n = client; !isOver(); n += CLIENTS) {
      const path = `/page/${n % pages}`;
      const answer = await machines[n % machines.length]?.get(path).catch(() => undefined);
      count++;
      if (answer?.status !== 200 || answer.body.toString() !== path) faults.push(`${path}: ${answer?.status}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => one(client)));
  return { count, faults };
}
