/** How the options are read by which an operator finds, and reaches, what is stored. */
import { isIP } from 'node:net';
import { custom, type Option, type Reading, wanted } from './kinds.js';
import { NO_TAGS } from './rule.js';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** The field that carries surrogate keys, in lower case; NO_TAGS for none. */
export function readTagsField(written: string): Reading<string> {
  if (!TOKEN.test(written)) return { problem: wanted('the name of a header field such as Surrogate-Key', written) };
  return { value: written === NO_TAGS ? NO_TAGS : written.toLowerCase() };
}

/** An address, or a network of them. */
export interface Network {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefixBits: number;
}

const FORM = 'an IP address such as 127.0.0.1, or a network such as 10.0.0.0/8 or fd00::/8';
const FAMILIES = { 4: { family: 'ipv4', bits: 32 }, 6: { family: 'ipv6', bits: 128 } } as const;

function readNetwork(written: unknown): Reading<Network> {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(String(written)) ?? [];
  const version = isIP(address);
  if (version !== 4 && version !== 6) return { problem: wanted(FORM, written) };
  const { family, bits: allBits } = FAMILIES[version];
  const prefixBits = bits === undefined ? allBits : Number(bits);
  if (prefixBits > allBits) return { problem: `/${prefixBits} is too long: the most is /${allBits}` };
  return { value: { family, address, prefixBits } };
}

/** A list of addresses and networks, at most `maxCount`; none: nobody. */
export function networks(doc: string, maxCount: number): Option<readonly Network[], ''> {
  const item = { type: 'string', pattern: '^[0-9A-Fa-f:.]+(/\\d{1,3})?$' };
  const schema = { anyOf: [item, { type: 'array', items: item, maxItems: maxCount }] };
  const read = custom<readonly Network[]>(
    { type: 'list of addresses', doc, schema, default: '[]' },
    (written, report) => {
      const items = Array.isArray(written) ? written : [written];
      if (items.length > maxCount) report(`more than ${maxCount} entries`);
      return items.slice(0, maxCount).flatMap((one, index): Network[] => {
        const reading = readNetwork(one);
        if ('value' in reading) return [reading.value];
        report(reading.problem, Array.isArray(written) ? [index] : []);
        return [];
      });
    },
  );
  return { ...read, schema: read.schema.prefault([]) };
}
