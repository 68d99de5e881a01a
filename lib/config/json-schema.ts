/** The option table as a JSON Schema, by which editors complete and check a conf file while it is written. */
import type { Entry, JsonSchema } from './kinds.js';
import { OPTIONS } from './schema.js';

/** Draft 2020-12. */
export function jsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Patina conf file',
    ...schemaOf(OPTIONS),
  };
}

function schemaOf(entry: Entry): JsonSchema {
  switch (entry.kind) {
    case 'option': {
      const { doc, schema, default: preset } = entry.meta;
      return { description: preset === undefined ? doc : `${doc} Default: ${preset}.`, ...schema };
    }
    case 'list':
      return { description: entry.meta.doc, type: ['array', 'null'], items: schemaOf(entry.item) };
    case 'section': {
      const { doc, shorthand } = entry.meta;
      const properties = Object.fromEntries(Object.entries(entry.shape).map(([key, own]) => [key, schemaOf(own)]));
      const map = { type: ['object', 'null'], properties, additionalProperties: false };
      const short = shorthand === undefined ? undefined : entry.shape[shorthand];
      if (short?.kind !== 'option') return { description: doc, ...map };
      return { description: doc, anyOf: [short.meta.schema, map] };
    }
  }
}

/** As it stands in conf/patina.schema.json. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`;
}
