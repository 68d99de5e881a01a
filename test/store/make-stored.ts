/** Stored responses made by hand for the tests of the store. */
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import { compactLife, lifeWith } from '../../lib/object/life.js';
import type { StoredResponse } from '../../lib/object/stored.js';

export interface StoredShape {
  readonly key?: string;
  readonly bodyBytes?: number;
  readonly body?: Body;
  readonly fields?: Fields;
  /** Values of one selecting field, `accept-language`. */
  readonly language?: string;
  readonly bornAt: number;
  readonly ttlMs?: number;
  readonly graceMs?: number;
  readonly keepMs?: number;
}

export function makeStored(shape: StoredShape): StoredResponse {
  const staleAt = shape.bornAt + (shape.ttlMs ?? 60_000);
  const graceUntil = staleAt + (shape.graceMs ?? 60_000);
  const keepUntil = graceUntil + (shape.keepMs ?? 3_600_000);
  return {
    key: shape.key ?? 'http://a.test/',
    selection:
      shape.language === undefined
        ? { names: [], values: [] }
        : { names: ['accept-language'], values: [shape.language] },
    status: 200,
    reasonPhrase: 'OK',
    fields: shape.fields ?? Fields.of({ ETag: '"1"' }),
    body: shape.body ?? Body.of([Buffer.alloc(shape.bodyBytes ?? 100)]),
    life: compactLife({
      bornAt: shape.bornAt,
      staleAt,
      graceUntil,
      offlineGraceUntil: graceUntil,
      ceilingAt: Number.POSITIVE_INFINITY,
      keepUntil,
      errorUntil: keepUntil,
      unreachableUntil: keepUntil,
      alwaysValidate: false,
      validateByRule: false,
      staleForbiddenBy: undefined,
      ttlSource: 'max-age',
    }),
    rule: 'defaults',
    fetchedAt: shape.bornAt,
    receivedWall: shape.bornAt,
  };
}

/** The same response freshened: a new record around the same body (RFC 9111 §4.3.4). */
export function freshened(stored: StoredResponse, bornAt: number, fields: Fields = stored.fields): StoredResponse {
  const { life } = stored;
  const movedMs = bornAt - life.bornAt;
  return {
    ...stored,
    fields,
    life: lifeWith(life, {
      bornAt,
      staleAt: life.staleAt + movedMs,
      graceUntil: life.graceUntil + movedMs,
      keepUntil: life.keepUntil + movedMs,
      errorUntil: life.errorUntil + movedMs,
      unreachableUntil: life.unreachableUntil + movedMs,
    }),
  };
}
