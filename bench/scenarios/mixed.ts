/** What a site sees: some pages are popular, most are not, and a few of the requests find nothing that is fresh. */
import { rateScenario } from '../kit/rate.js';
import { pathOf } from '../kit/swift.js';
import { drawZipf, NEW_PATH, seededRandom, untilCompiled } from '../kit/traffic.js';

const KEYS = 100_000;
const QUICK_KEYS = 2_000;
const EXPONENT = 1;
const DRAWS = 200_000;
/** The load tool reads them before each run, and a short one does not come to the end of so many. */
const QUICK_DRAWS = 20_000;
const SEED = 20_260_101;
/** Share of the requests that ask for a URL that nobody has asked for. */
const NEW_SHARE = 0.035;
/** One key in so many goes stale after a second, and may be served stale while it is asked for again. */
const SHORT_LIVED = 16;
const STALE_SEC = 60;
const SMALL_BYTES = 1024;
const LARGE_BYTES = 8192;
/** Of load before anything is measured. */
const WARM_SECONDS = { full: 6, quick: 0.5 };
/** In which the way of hits is compiled; that of misses is before. */
const WARM_COUNT = 70_000;
/** One key in so many is large. */
const LARGE = 10;

function pathOfKey(key: number): string {
  const bytes = key % LARGE === 3 ? LARGE_BYTES : SMALL_BYTES;
  return key % SHORT_LIVED === 5 ? pathOf(bytes, 1, `k${key}`, STALE_SEC) : pathOf(bytes, 3600, `k${key}`);
}

const drawn = new Map<number, readonly string[]>();

function draw(keys: number, draws: number): readonly string[] {
  let paths = drawn.get(keys);
  if (paths === undefined) {
    const random = seededRandom(SEED + 1);
    const ranks = drawZipf({ keys, exponent: EXPONENT, draws, seed: SEED });
    paths = ranks.map((key) => (random() < NEW_SHARE ? NEW_PATH : pathOfKey(key)));
    drawn.set(keys, paths);
  }
  return paths;
}

function* everyKey(keys: number): Iterable<string> {
  yield* untilCompiled('mixed', SMALL_BYTES);
  for (let key = 0; key < keys; key++) yield pathOfKey(key);
}

export const mixed = rateScenario({
  name: 'mixed',
  about: `Zipf over ${KEYS} keys (${QUICK_KEYS} where quick), of 1 and 8 KB; some 5 % of the requests find nothing or something stale; each first for ${WARM_SECONDS.full} s unmeasured (${WARM_SECONDS.quick} s where quick)`,
  connections: 64,
  warm: (isQuick) => everyKey(isQuick ? QUICK_KEYS : KEYS),
  traffic: (isQuick) => ({
    kind: 'drawn',
    paths: isQuick ? draw(QUICK_KEYS, QUICK_DRAWS) : draw(KEYS, DRAWS),
    prefix: pathOf(SMALL_BYTES, 3600, 'new-'),
  }),
  sample: { path: pathOfKey(0), status: 200, bodyBytes: SMALL_BYTES },
  bytesEach: { least: SMALL_BYTES, most: SMALL_BYTES * 4 },
  // A proxy runs for days.
  warmSeconds: WARM_SECONDS,
  warmCount: WARM_COUNT,
  seconds: { full: 2, quick: 1 },
  originShare: { least: NEW_SHARE * 0.9, most: 0.09 },
  ratios: { nginx: 1.1, varnish: 1.1 },
});
