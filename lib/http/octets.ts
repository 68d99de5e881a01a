/** What each byte of a field line may stand in, by one look at a table: RFC 9110 §5.6.2 (names) and §5.5 (values). */

export const IN_NAME = 1;
export const IN_VALUE = 2;
/** By code of the byte; 0: neither. */
export const OCTETS = makeOctets();

function makeOctets(): Uint8Array {
  const octets = new Uint8Array(256);
  for (let code = 0x20; code <= 0xff; code++) if (code !== 0x7f) octets[code] = IN_VALUE;
  octets[0x09] = IN_VALUE;
  const tokens = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  for (const token of tokens) octets[token.charCodeAt(0)] = IN_NAME | IN_VALUE;
  return octets;
}

/** Whether each character of a text may stand there: IN_NAME or IN_VALUE. */
export function areAll(text: string, where: number): boolean {
  const { length } = text;
  for (let at = 0; at < length; at++) {
    // Beyond the table is nothing: no byte.
    if (((OCTETS[text.charCodeAt(at)] ?? 0) & where) === 0) return false;
  }
  return true;
}
