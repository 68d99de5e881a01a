/** Makes stored responses for tables of policy tests. */
import { Fields } from '../../lib/http/fields.js';
import { Body } from '../../lib/object/body.js';
import type { Selection, StoredResponse } from '../../lib/object/stored.js';

/** The wall clock of these tests. */
export const NOW = Date.UTC(2026, 0, 1, 12);

export type FieldRecord = Readonly<Record<string, string | readonly string[]>>;

export interface StoredSpec {
  readonly fields?: FieldRecord;
  readonly selection?: Selection;
  readonly status?: number;
  readonly body?: string;
  readonly receivedWall?: number;
}

/** A stored response with these members, and any others that are good for a 200. */
export function storedResponse(spec: StoredSpec = {}): StoredResponse {
  const body = Buffer.from(spec.body ?? 'body');
  return {
    key: 'http://example.com/',
    selection: spec.selection ?? { names: [], values: [] },
    status: spec.status ?? 200,
    reasonPhrase: 'OK',
    fields: Fields.of(spec.fields ?? {}),
    body: Body.of([body]),
    life: {
      bornAt: NOW,
      staleAt: NOW,
      graceUntil: NOW,
      offlineGraceUntil: NOW,
      ceilingAt: Number.POSITIVE_INFINITY,
      keepUntil: NOW,
      errorUntil: NOW,
      unreachableUntil: NOW,
      alwaysValidate: false,
      validateByRule: false,
      staleForbiddenBy: undefined,
      ttlSource: 'none',
    },
    rule: 'defaults',
    fetchedAt: NOW,
    receivedWall: spec.receivedWall ?? NOW,
  };
}
