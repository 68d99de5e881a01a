// Goal: workers compare when what they have was asked for, also where the wall clock was set back before one of them began. Method: the built command, with a preload that sets back the clock of workers that begin later.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { request } from '../kit/proxy-kit.js';
import { startCrew, until } from './crew.kit.js';

const BODY = ['Cache-Control', 'max-age=600'];

t.test(
  'issue 5: a worker that begins after the wall clock was set back gives the others what it has renewed',
  async (t) => {
    const directory = t.testdir({});
    const [preload, flag] = [join(directory, 'clock.cjs'), join(directory, 'back')];
    writeFileSync(
      preload,
      `if (require('node:fs').existsSync(${JSON.stringify(flag)})) {
       const { now } = Date;
       Date.now = () => now() - 3_600_000;
     }\n`,
    );
    const crew = await startCrew(t, { preload });
    let version = 1;
    crew.origin.respond(() => ({ fields: BODY, body: `version ${version}` }));
    const [one] = await crew.eachWorker();
    const old = crew.first?.pid;
    t.equal((await one.send(request('GET', '/a')).response()).body.toString(), 'version 1');
    writeFileSync(flag, '');
    const dying = (await crew.workers()).find(({ pid }) => pid !== old)?.pid ?? 0;
    process.kill(dying, 'SIGKILL');
    await until(async () => {
      const others = (await crew.workers()).filter(({ pid, state }) => pid !== dying && state === 'serving');
      return others.length === 2;
    });
    version = 2;
    const young = await crew.connect();
    const renewed = await young.send(request('GET', '/a', 'Cache-Control: no-cache')).response();
    t.equal(renewed.body.toString(), 'version 2');
    // The news is on its way; a worker that did not take it would stay with what it has.
    await until(async () => (await one.send(request('GET', '/a')).response()).body.toString() === 'version 2');
    t.equal(crew.origin.requests.length, 2);
  },
);
