// Goal: where an origin begins to vary an answer, or ceases to, no machine is answered with what the new answer took the place of. Method: whole proxies, each with a memory of its own, and a real redis-server.
import t from 'tap';
import type { OpenProxy } from '../kit/proxy-kit.js';
import { eventually, needsRedis } from '../kit/redis-server.js';
import { LIVING, openMachines, ownMetric } from './machines.kit.js';

const GERMAN = 'Accept-Language: de';
const VARIED = ['Vary', 'Accept-Language'];

async function bodyOf(house: OpenProxy): Promise<string> {
  return (await house.get('/a', GERMAN)).body.toString();
}

t.test(
  'RFC 9111 §4.1: a response without Vary takes the place of the variant that it was asked for in, on all machines',
  needsRedis(),
  async (t) => {
    let version = 1;
    const answer = () => ({ fields: [...LIVING, ...(version === 1 ? VARIED : [])], body: `version ${version}` });
    const { redis, here, there } = await openMachines(t, answer);
    const told = async (house: OpenProxy, count: number): Promise<void> =>
      eventually(async () => (await ownMetric(house, 'patina_shared_messages_total')) >= count, 'it is told');
    t.equal(await bodyOf(here), 'version 1');
    await told(there, 1);
    t.equal(await bodyOf(there), 'version 1', 'that one holds it too');
    version = 2;
    const anew = await here.get('/a', GERMAN, 'Cache-Control: no-cache');
    t.equal(anew.body.toString(), 'version 2');
    await told(there, 2);
    t.equal(await bodyOf(there), 'version 2', 'it is gone there');
    t.equal(here.origin.requestCount, 2, 'and the new one comes from Redis');
    const [hash = ''] = (await redis.client.keys('patina:{*}')).filter((key) => key.endsWith('}'));
    const records = (await redis.client.hkeys(hash)).filter((field) => field.startsWith('r'));
    t.same(records, ['rall'], 'nor does Redis give it to one that comes later');
  },
);
