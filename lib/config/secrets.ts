/** What of a configuration nobody should read over a shoulder. */

const HIDDEN = '(hidden)';

/** Options whose values are secrets, by their path. */
export function isSecret(path: string): boolean {
  return /(?:^|\.)(?:secret|token|password)$/.test(path);
}

/** The same text, the password of a URL in it hidden. */
export function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^/@\s:]*):[^/@\s]+@/g, `$1:${HIDDEN}@`);
}

/** The same document, secrets and the passwords in URLs hidden. */
export function withoutSecrets(written: unknown, path = ''): unknown {
  if (written !== undefined && written !== null && isSecret(path)) return HIDDEN;
  if (typeof written === 'string') return withoutPassword(written);
  if (Array.isArray(written)) return written.map((item) => withoutSecrets(item, path));
  if (typeof written !== 'object' || written === null) return written;
  return Object.fromEntries(
    Object.entries(written).map(([key, value]) => [key, withoutSecrets(value, path === '' ? key : `${path}.${key}`)]),
  );
}
