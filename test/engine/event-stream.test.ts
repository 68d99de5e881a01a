/** Goal: a stream of events is told by its media type alone, whatever its case and parameters; method: a table. */
import t from 'tap';
import { isEventStream } from '../../lib/engine/verdict.js';
import { Fields } from '../../lib/http/fields.js';

t.test('RFC 9110 §8.3.1: a media type is case-insensitive, and parameters do not make another of it', async (t) => {
  const table: readonly [type: string, isOne: boolean][] = [
    ['text/event-stream', true],
    ['Text/EVENT-Stream', true],
    ['text/event-stream;charset=utf-8', true],
    ['text/event-stream ; charset=utf-8', true],
    ['text/event-streams', false],
    ['text/event-strea', false],
    ['text/html; charset=utf-8', false],
    ['text/ecmascript-of-some-kind', false],
    [' text/event-stream', false],
    ['', false],
  ];
  for (const [type, isOne] of table) t.equal(isEventStream(new Fields(['Content-Type', type])), isOne, type);
  t.notOk(isEventStream(Fields.empty));
});
