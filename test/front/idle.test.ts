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

t.test('limits: a clock that is set forward cuts off no client', async (t) => {
  const clock = new FakeClock();
  const house = await openProxy(t, { clock });
  house.origin.respond(() => ({ body: 'hello' }));
  const [idle, begun, sending] = [await house.connect(), await house.connect(), await house.connect()];
  await idle.send(request('GET', '/')).response();
  begun.send('GET / HTTP/1.1\r\nHost');
  sending.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nab');
  await house.origin.seen(2);
  clock.advance(2_000);
  clock.jump(3_600_000);
  clock.advance(2_000);
  await turns(5);
  t.equal((await idle.send(request('GET', '/')).response()).status, 200);
  t.equal((await begun.send(': a.example\r\n\r\n').response()).status, 200);
  t.equal((await sending.send('cde').response('POST')).status, 200);
});
