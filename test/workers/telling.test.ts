// Goal: what an operator does is told to other machines by a worker that lives to do so, or is answered with the word that it is not. Method: the primary process's part alone, with workers that are fakes.
import t from 'tap';
import { NobodyServesError } from '../../lib/admin/operate.js';
import { Fields } from '../../lib/http/fields.js';
import { NoAnswerError } from '../../lib/workers/channel.js';
import { WholeOperations } from '../../lib/workers/operations.js';
import type { Member } from '../../lib/workers/supervisor.js';

const TARGET = { kind: 'tag', tag: 'one' } as const;

/** Dies of what it is asked, lives and does not answer, answers that other machines are not told yet, or that all is done. */
type Deed = 'dies' | 'hangs' | 'owes' | 'done';

/** Workers by what they do of each order, one after the other; what they were asked is noted. */
function crewOf(...deeds: (readonly Deed[])[]) {
  const asked: string[] = [];
  let members: Member[] = [];
  members = deeds.map((list, id) => {
    let at = 0;
    const channel = {
      isGone: false,
      async ask(name: string, { isQuiet }: { isQuiet?: boolean }): Promise<unknown> {
        const deed = list[at++] ?? 'done';
        asked.push(`${id} ${name} ${isQuiet === true ? 'quiet' : 'loud'}: ${deed}`);
        if (deed === 'dies') {
          channel.isGone = true;
          members = members.filter((member) => member.id !== id);
          throw new NoAnswerError('gone');
        }
        if (deed === 'hangs') throw new NoAnswerError('late');
        if (name === 'push') return null;
        const pending = deed === 'owes' ? { pending: ['shared'] } : {};
        return { digests: new Uint8Array(), further: 0, fills: 0, ...pending };
      },
      tell({ kind }: { kind: string }): boolean {
        asked.push(`${id} ${kind}`);
        return true;
      },
    };
    return { id, channel } as unknown as Member;
  });
  const operations = new WholeOperations(
    () => members,
    () => members,
  );
  return { operations, asked };
}

t.test('issue 5: where the worker that was to tell other machines dies, another one tells them', async (t) => {
  const { operations, asked } = crewOf(['dies'], ['done', 'done']);
  t.same(await operations.purge(TARGET), { objects: 0, fills: 0 });
  t.same(asked, ['0 operate loud: dies', '1 operate quiet: done', '1 operate loud: done']);
});

t.test('issue 5: what a worker did quietly does not count as told, where it dies of telling', async (t) => {
  const { operations, asked } = crewOf(['dies'], ['done', 'dies']);
  await t.rejects(operations.purge(TARGET), NobodyServesError);
  t.same(asked, ['0 operate loud: dies', '1 operate quiet: done', '1 operate loud: dies']);
  const three = crewOf(['dies'], ['done', 'dies'], ['done', 'owes']);
  t.match(await three.operations.purge(TARGET), { pending: ['shared'] });
});

t.test('issue 5: a response that is pushed while no worker serves is refused as such', async (t) => {
  const head = { status: 200, reasonPhrase: 'OK', fields: Fields.empty, selecting: Fields.empty, bodyBytes: 2 };
  await t.rejects(crewOf().operations.update('http://a.example/', head), NobodyServesError);
  await t.rejects(crewOf(['dies']).operations.update('http://a.example/', head), NobodyServesError);
});

t.test(
  'issue 5: where the worker that was to tell other machines of a push dies, another one tells them',
  async (t) => {
    const head = { status: 200, reasonPhrase: 'OK', fields: Fields.empty, selecting: Fields.empty, bodyBytes: 0 };
    const push = async (crew: ReturnType<typeof crewOf>): Promise<unknown> => {
      const door = await crew.operations.update('http://a.example/', head);
      return 'refused' in door ? door : door.end();
    };
    const crew = crewOf(['done', 'dies'], ['done', 'done'], ['done', 'done']);
    t.match(await push(crew), { fills: 0 });
    t.same(crew.asked.slice(3), ['0 pushEnd loud: dies', '1 pushEnd loud: done', '2 pushEnd quiet: done']);
    t.match(await push(crewOf(['done', 'done'], ['done', 'dies'])), { fills: 0 }, 'of another one it does not matter');
    await t.rejects(push(crewOf(['done', 'dies'], ['done', 'dies'])), NobodyServesError, 'nobody that lives has it');
  },
);

t.test('issue 5: where a worker does not answer, no other one keeps what was pushed so far', async (t) => {
  const head = { status: 200, reasonPhrase: 'OK', fields: Fields.empty, selecting: Fields.empty, bodyBytes: 0 };
  const begun = crewOf(['done'], ['hangs']);
  await t.rejects(begun.operations.update('http://a.example/', head), NoAnswerError);
  t.same(begun.asked.slice(2), ['0 pushFail', '1 pushFail']);
  const ended = crewOf(['done', 'hangs'], ['done']);
  const door = await ended.operations.update('http://a.example/', head);
  if ('refused' in door) throw new Error('it is taken');
  await t.rejects(async () => door.end(), NoAnswerError);
  t.same(ended.asked.slice(2), ['0 pushEnd loud: hangs', '0 pushFail', '1 pushFail']);
});
