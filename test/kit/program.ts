/**
 * The program as it ships, for whoever starts it as a process: tests, the torture, the benches.
 *
 *   spawn(process.execPath, [program(), '--listen', '127.0.0.1:0'])
 */
import { fileURLToPath } from 'node:url';

const MAKER = new URL('../../../.bundle.js', import.meta.url);
const MAIN = fileURLToPath(new URL('../../lib/bundle/main.js', import.meta.url));

const { whyStale } = (await import(MAKER.href)) as { whyStale(): string | undefined };

/** Its path. Throws where it is not made of the modules that are compiled now, as after `tsc --build` alone. */
export function program(): string {
  const why = whyStale();
  if (why !== undefined) throw new Error(`dist/lib/bundle is not up to date, ${why}: run npm run build`);
  return MAIN;
}
