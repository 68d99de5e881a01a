// Goal: an idle connection is ended once, however long its end takes. Method: sweep after sweep with no turn of the event loop between, and Node's own warnings.
import t from 'tap';
import { turns } from '../kit/barrier.js';
import { FakeClock } from '../kit/clock.js';
import { openProxy, request } from '../kit/proxy-kit.js';

t.test('limits: an idle connection that does not end at once gathers nothing from sweep to sweep', async (t) => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', note);
  const clock = new FakeClock();
  const house = await openProxy(t, { clock });
  house.origin.respond(() => ({}));
  const client = await house.connect();
  await client.send(request('GET', '/')).response();
  await turns(5);
  clock.advance(200_000);
  t.equal(await client.ended, 'finished');
  await turns(5);
  process.off('warning', note);
  t.strictSame(warnings, []);
});
