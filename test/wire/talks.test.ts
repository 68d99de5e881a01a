// Goal: whoever reads, writes and leaves however, each request gets exactly its own reply, in order, whole and right, or the connection is cut; and all that was taken is given back. Method: seeded conversations in both lanes with the command as a child process, behind it an origin that is slow, cut off, chunked or failing; every byte is judged.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { program } from '../kit/program.js';
import { connectRaw } from '../kit/raw-client.js';
import { type ScriptedOrigin, startScriptedOrigin } from '../kit/scripted-origin.js';
import { randomFrom } from './chaos-clients.js';
import { QUIET_GAUGES, type Subject, startSubject } from './chaos-subject.js';
import { TalkClient, type TalkTally } from './talk-client.js';
import { kindOf, talkSteps } from './talk-origin.js';
import { makePlan } from './talk-plan.js';

const MAIN = program();
/** PATINA_TEST_SEED has other conversations, and PATINA_TEST_TALKS more of them. */
const SEED = Number(process.env['PATINA_TEST_SEED'] ?? 4_711);
const CONVERSATIONS = Number(process.env['PATINA_TEST_TALKS'] ?? 60);
const AT_ONCE = 24;
const LOOK_EVERY_MS = 50;
/** None of these is to be met by who is only slow, on a busy machine too. */
const PATIENT = {
  origin: '{connect: 10s, headers: 15s, idle: 15s}',
  limits: '{head_timeout: 15s, body_idle: 15s, reply_idle: 15s, keep_alive: 15s, wait: 15s, drain: 5s}',
};

async function open(t: Test, hasFastLane: boolean) {
  const folder = mkdtempSync(join(tmpdir(), 'patina-talks-'));
  const origin = await startScriptedOrigin();
  const random = randomFrom(SEED);
  origin.perform((request) => talkSteps(request, random));
  const subject = await startSubject(folder, MAIN, origin.port, PATIENT, hasFastLane);
  t.teardown(async () => {
    subject.kill();
    await origin.close();
    rmSync(folder, { recursive: true });
  });
  return { origin, subject };
}

async function talkAll(subject: Subject, tally: TalkTally): Promise<void> {
  let next = 0;
  const talker = async (): Promise<void> => {
    for (let number = next++; number < CONVERSATIONS; number = next++) {
      const plan = makePlan(randomFrom(SEED * 1_000_003 + number * 7_919));
      await new TalkClient(subject.listen, `conversation ${number}`, plan, tally).talk();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, talker));
}

/** However long a busy machine takes for it: what never comes back is ended, and shown, by the limit of the runner. */
async function proveAllCameBack(t: Test, origin: ScriptedOrigin, subject: Subject): Promise<void> {
  await origin.close();
  for (const name of QUIET_GAUGES) {
    t.comment(`until ${name} is 0`);
    while ((await subject.gauges()).get(name) !== 0) await pause(LOOK_EVERY_MS);
  }
  t.equal((await subject.gauges()).get('patina_notices_total{code="internal"}') ?? 0, 0);
  t.equal(subject.complaints, '', 'nothing was said on stderr');
  t.equal((await subject.stop()).code, 0);
}

const SILENT_CLIENTS = 24;
const STREAMS = 30;
/** For each of them: what is held for a slow reader, and what is on its way; all ask for fifty times as much. */
const HELD_BYTES = 6 * 1024 * 1024;
const LOOKS = 20;

for (const lane of ['fast', 'full']) {
  t.test(
    `conversations of seed ${SEED}, ${lane} lane: each request gets its own reply, whole and in order`,
    async (t) => {
      const { origin, subject } = await open(t, lane === 'fast');
      const tally: TalkTally = { flaws: [], conversations: 0, replies: 0, failed: 0 };
      await talkAll(subject, tally);
      t.same(tally.flaws, []);
      t.comment(`${tally.replies} replies in ${tally.conversations} conversations, ${tally.failed} of them failures`);
      t.ok(tally.failed < tally.replies / 4);
      t.notOk(
        origin.requests.some(({ target }) => kindOf(target) === 'never'),
        'RFC 9112 §9.6: nothing behind a last request reaches the origin',
      );
      await proveAllCameBack(t, origin, subject);
    },
  );

  t.test(`design 5, ${lane} lane: clients that ask for all at once and read nothing cost bounded memory`, async (t) => {
    const { origin, subject } = await open(t, lane === 'fast');
    const before = subject.rssBytes;
    const clients = await Promise.all(Array.from({ length: SILENT_CLIENTS }, () => connectRaw(subject.listen)));
    for (const [number, client] of clients.entries()) {
      client.pause();
      for (let at = 0; at < STREAMS; at++) {
        const path = at % 2 === 0 ? `/large/${number % 4}` : `/stream/${number}-${at}`;
        client.send(`GET ${path} HTTP/1.1\r\nHost: talk.example\r\n\r\n`);
      }
    }
    let most = 0;
    for (let looks = 0; looks < LOOKS; looks++) {
      await pause(LOOK_EVERY_MS);
      most = Math.max(most, subject.rssBytes - before);
    }
    t.comment(`${Math.round(most / 1_000_000)} MB more`);
    t.ok(most < SILENT_CLIENTS * HELD_BYTES);
    for (const client of clients) client.reset();
    await proveAllCameBack(t, origin, subject);
  });
}
