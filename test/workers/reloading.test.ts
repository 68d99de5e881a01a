// Goal: a reload of several workers under load costs no request, and memory is divided by what then holds. Method: the built command, its admin listener, kill -9.
import { connect } from 'node:net';
import t from 'tap';
import { MAX_REFUSED_CONNECTIONS } from '../../lib/base/limits.js';
import { MAX_HANDOVERS } from '../../lib/base/worker-limits.js';
import { request } from '../kit/proxy-kit.js';
import { confOf, startCrew, until } from './crew.kit.js';

const SHARED = ['Cache-Control', 'max-age=600', 'ETag', '"1"'];

t.test(
  'issue 5: reloads under load, some of them bad, fail no request, and memory is divided anew by each',
  async (t) => {
    const crew = await startCrew(t, { conf: 'cache: {memory: 64MB}' });
    crew.origin.respond(({ target }) => ({ fields: SHARED, body: `hello ${target}` }));
    let isOver = false;
    let answered = 0;
    const wrong: string[] = [];
    const visit = async (at: number): Promise<void> => {
      const client = await crew.connect();
      for (let n = at; !isOver; n++) {
        const path = `/${n % 50}`;
        const response = await client.send(request('GET', path)).response();
        if (response.body.toString() !== `hello ${path}`) wrong.push(`${path}: ${response.status}`);
        answered++;
      }
    };
    const visitors = Array.from({ length: 8 }, (_, at) => visit(at * 7));
    const MB = 1024 * 1024;
    for (let reload = 0; reload < 12; reload++) {
      const before = answered;
      const isBad = reload % 4 === 3;
      const memory = reload % 2 === 0 ? 33 : 96;
      const more = 'cache: {memory: much}';
      const good = confOf(
        crew.origin,
        2 + (reload % 2),
        `cache: {memory: ${memory}MB}\ndefaults: {ttl: ${reload + 1}s}`,
      );
      crew.configure(isBad ? confOf(crew.origin, 2, more) : good);
      t.equal((await crew.call('/v1/reload', 'POST')).status, isBad ? 422 : 200);
      const budget = await crew.metric('patina_budget_bytes');
      if (!isBad) t.ok(budget <= memory * MB && budget > memory * MB - 2, `${budget} bytes of ${memory} MB`);
      await until(async () => answered > before + 50);
    }
    const [victim] = await crew.workers();
    const budget = await crew.metric('patina_budget_bytes');
    isOver = true;
    await Promise.all(visitors);
    t.same(wrong, []);
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await until(async () => (await crew.metric('patina_worker_deaths_total')) === 1);
    await until(async () => (await crew.metric('patina_workers_serving')) === 2);
    t.equal(await crew.metric('patina_budget_bytes'), budget, 'who takes the place of the dead has its share');
  },
);

t.test(
  'limits.connections: as many wait for workers that stand still, who comes beyond is closed and counted, and a reload changes it',
  async (t) => {
    const crew = await startCrew(t, { conf: 'limits: {connections: 1}' });
    const workers = await crew.workers();
    const signal = (name: NodeJS.Signals): void => workers.forEach(({ pid }) => void process.kill(pid, name));
    const notices = (): number => crew.out.match(/"code":"too-many-waiting"/g)?.length ?? 0;
    /** So many clients more than may wait come to workers that stand still, and stay until these are closed. */
    const comeBeyond = async (limit: number, beyond: number): Promise<void> => {
      let ended = 0;
      signal('SIGSTOP');
      const count = workers.length * MAX_HANDOVERS + limit + MAX_REFUSED_CONNECTIONS + beyond;
      const clients = Array.from({ length: count }, () => {
        const client = connect({ port: crew.port, host: '127.0.0.1' }).resume();
        client.once('close', () => ended++).on('error', () => undefined);
        t.teardown(() => client.destroy());
        return client;
      });
      await until(async () => ended >= beyond);
      signal('SIGCONT');
      await until(async () => (await crew.metric('patina_worker_handovers')) === 0);
      for (const client of clients) client.destroy();
      await until(async () => (await crew.workers()).every(({ connections }) => connections === 0));
    };
    await comeBeyond(1, 3);
    t.equal(await crew.metric('patina_worker_handovers_refused_total'), 3);
    t.equal(notices(), 1);
    crew.configure(confOf(crew.origin, 2, 'limits: {connections: 51}'));
    t.equal((await crew.call('/v1/reload', 'POST')).status, 200);
    await comeBeyond(51, 2);
    t.equal(await crew.metric('patina_worker_handovers_refused_total'), 5);
    t.equal(notices(), 2);
  },
);
