/**
 * How a stored response is put into words for the writer: its record, its body where the disk has not got that, and by what it is to
 * be found. Which body it has there from then on is noted.
 */
import assert from 'node:assert/strict';
import { NO_BYTES } from '../object/chunks.js';
import { recordBodyBytes, recordChunks } from '../object/record.js';
import type { BatchWriter } from './disk-batch.js';
import type { DiskCounts } from './disk-counts.js';
import { cut, recordForNow } from './disk-forms.js';
import { BODY_ID_BYTES, chunkCount, chunkKey, minuteAfter, sealChunk, tagHash } from './disk-keys.js';
import type { PutItem } from './disk-queued.js';
import type { DiskReading } from './disk-reading.js';

const NO_BODY = Buffer.alloc(BODY_ID_BYTES);

export class DiskWording {
  readonly #reading: DiskReading;
  readonly #counts: DiskCounts;

  constructor(reading: DiskReading, counts: DiskCounts) {
    this.#reading = reading;
    this.#counts = counts;
  }

  /** Returns whether what is written tells all of the response: then nothing else of it has to be kept. */
  write(item: PutItem, to: BatchWriter): boolean {
    const { stored } = item;
    assert(stored !== undefined, 'what is not in words yet is held');
    const { bodies, skewMs } = this.#reading;
    const bytes = recordBodyBytes(stored);
    const chunks = recordChunks(stored);
    let ref = bodies.refOf(stored);
    let inline: Buffer = NO_BYTES;
    const isWithBody = bytes > 0 && chunks !== undefined && (item.isWithBody || ref === undefined);
    if (isWithBody) {
      ref = bodies.begin(stored, bytes);
      if (ref.isInline) inline = cut(chunks)[0] ?? NO_BYTES;
      else
        for (const [index, chunk] of cut(chunks).entries()) {
          const at = chunkKey(ref.id, index);
          to.add({ kind: 'chunk', key: at, value: sealChunk(at, chunk) });
        }
    }
    const bodyId = bytes === 0 ? NO_BODY : (ref?.id ?? NO_BODY);
    to.put(item.place, {
      record: recordForNow(stored, skewMs, bodyId),
      expiryMinute: minuteAfter(stored.life.keepUntil + skewMs),
      bodyId,
      isVaried: stored.selection.names.length > 0,
      hasBody: bytes > 0,
      isRepeatable: chunks !== undefined && !item.isAgain,
      chunks: ref?.isInline === true ? 0 : chunkCount(bytes),
      tagHashes: stored.tags === undefined ? NO_BYTES : Buffer.concat(stored.tags.map(tagHash)),
      inline,
    });
    this.#counts.wrote(isWithBody ? 'response' : 'header');
    const isAllHere = bytes === 0 || (isWithBody && ref?.isInline === true);
    return isAllHere && stored.partial === undefined && stored.body.isWhole;
  }
}
