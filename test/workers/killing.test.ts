// Goal: workers that are killed at random under load break their own connections alone, and no byte is ever wrong. Method: bodies that carry their own checksum, kill -9, the leases counted in the end.
import { createHash } from 'node:crypto';
import t from 'tap';
import { request } from '../kit/proxy-kit.js';
import { CutOff, connectRaw } from '../kit/raw-client.js';
import { startCrew, until } from './crew.kit.js';

const KILLS = Number(process.env['PATINA_KILLS'] ?? 6);

/** A body that says what its rest comes to. */
function bodyOf(path: string, round: number): Buffer {
  const rest = Buffer.from(`${path} ${round} `.repeat(200 + (round % 7) * 3000));
  return Buffer.concat([Buffer.from(createHash('sha256').update(rest).digest('hex')), rest]);
}

function isSound(body: Buffer, path: string): boolean {
  const rest = body.subarray(64);
  const isWhole = createHash('sha256').update(rest).digest('hex') === body.subarray(0, 64).toString();
  return isWhole && rest.toString('latin1', 0, path.length + 1) === `${path} `;
}

t.test('issue 5: kill -9 of one worker of several at random moments under load', async (t) => {
  const crew = await startCrew(t, { workers: 3, conf: 'cache: {memory: 64MB}\ndefaults: {ttl: 200ms, grace: 1h}' });
  let round = 0;
  crew.origin.respond(({ target }) => ({ fields: ['Cache-Control', 'max-age=1'], body: bodyOf(target, round++) }));
  let isOver = false;
  let answered = 0;
  let broken = 0;
  const wrong: string[] = [];
  const visit = async (at: number): Promise<void> => {
    let client = await connectRaw(crew.port);
    for (let n = 0; !isOver; n++) {
      const path = `/${(at + n) % 13}`;
      try {
        const response = await client.send(request('GET', path)).response();
        if (response.status === 200 && isSound(response.body, path)) answered++;
        else wrong.push(`${path}: ${response.status}, ${response.body.length} bytes`);
      } catch (error) {
        if (!(error instanceof CutOff)) throw error;
        broken++;
        client = await connectRaw(crew.port);
      }
    }
    client.close();
  };
  const visitors = Array.from({ length: 12 }, (_, at) => visit(at));
  let counted = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const before = answered;
    await until(async () => answered > before + 100);
    const serving = (await crew.workers()).filter(({ state }) => state === 'serving');
    const victim = serving[kill % Math.max(1, serving.length)];
    if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
    await until(async () => (await crew.metric('patina_worker_deaths_total')) > kill);
    const now = await crew.metric('patina_requests_total');
    if (now < counted) t.fail(`${now} requests after ${counted}: what the dead have counted is lost`);
    counted = now;
  }
  const before = answered;
  await until(async () => answered > before + 100);
  isOver = true;
  await Promise.all(visitors);
  t.same(wrong, []);
  t.ok(broken <= KILLS * 12, `${broken} of ${answered} requests broke, with ${KILLS} kills`);
  await until(async () => (await crew.metric('patina_workers_serving')) === 3);
  await until(async () => (await crew.metric('patina_worker_leases')) === 0);
  t.equal(await crew.metric('patina_worker_lease_waits'), 0, 'nobody waits for the dead');
  t.equal(await crew.metric('patina_worker_deaths_total'), KILLS);
  t.ok((await crew.metric('patina_budget_bytes')) <= 64 * 1024 * 1024, 'the memory of the dead is not counted');
  t.equal(await crew.metric('patina_fills'), 0);
});
