/**
 * How a stored response is put into words for the writer: its record, its body where the disk has not got that, and by what it is to
 * be found. Which body it has there from then on is noted.
 */
import { recordBodyBytes, recordChunks } from '../object/record.js';
import type { BatchWriter } from './disk-batch.js';
import type { DiskCounts } from './disk-counts.js';
import { checkOf, cut, recordOf } from './disk-forms.js';
import { BODY_ID_BYTES, chunkCount, chunkKey, minuteAfter, sealChunk, tagHash } from './disk-keys.js';
import type { PutItem } from './disk-queued.js';
import type { DiskReading } from './disk-reading.js';

const NOTHING = Buffer.alloc(0);
const NO_BODY = Buffer.alloc(BODY_ID_BYTES);

export class DiskWording {
  readonly #reading: DiskReading;
  readonly #counts: DiskCounts;

  constructor(reading: DiskReading, counts: DiskCounts) {
    this.#reading = reading;
    this.#counts = counts;
  }

  write({ stored, recordKey: key, isAgain }: PutItem, to: BatchWriter): void {
    const { bodies, places, skewMs } = this.#reading;
    const bytes = recordBodyBytes(stored);
    const chunks = recordChunks(stored);
    let ref = bodies.refOf(stored);
    let inline: Uint8Array = NOTHING;
    const isWithBody = bytes > 0 && ref === undefined && chunks !== undefined;
    if (isWithBody) {
      ref = bodies.begin(stored, bytes);
      if (ref.isInline) inline = cut(chunks)[0] ?? NOTHING;
      else
        for (const [index, chunk] of cut(chunks).entries()) {
          const at = chunkKey(ref.id, index);
          to.add({ kind: 'chunk', key: at, value: sealChunk(at, chunk) });
        }
    }
    const bodyId = bytes === 0 ? NO_BODY : (ref?.id ?? NO_BODY);
    const record = recordOf(stored, skewMs, bodyId);
    const place = places.get(stored);
    if (place !== undefined) place.check = checkOf(record);
    to.add({
      kind: 'put',
      key,
      record,
      expiryMinute: minuteAfter(stored.life.keepUntil + skewMs),
      bodyId,
      isVaried: stored.selection.names.length > 0,
      hasBody: bytes > 0,
      isRepeatable: chunks !== undefined && !isAgain,
      chunks: ref?.isInline === true ? 0 : chunkCount(bytes),
      tagHashes: stored.tags === undefined ? NOTHING : Buffer.concat(stored.tags.map(tagHash)),
      inline,
    });
    this.#counts.wrote(isWithBody ? 'response' : 'header');
  }
}
