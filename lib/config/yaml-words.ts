/** What is wrong with the syntax of a YAML document, in words that a person can act on, in place of the parser's own. */

/** As the parser tells it. */
export interface SyntaxFault {
  readonly code: string;
  readonly message: string;
}

const SENTENCES: Readonly<Partial<Record<string, string>>> = {
  DUPLICATE_KEY: 'this key was given before in the same map',
  MULTIPLE_DOCS: 'a second document begins here: a conf file is one document',
  TAB_AS_INDENT: 'a tab indents this line: YAML takes spaces alone',
  MULTILINE_IMPLICIT_KEY: 'expected KEY: VALUE in this line, with a space after the colon',
};

/** The code alone does not tell these apart. The groups of the expression stand in the sentence as $1. */
const BY_MESSAGE: readonly (readonly [RegExp, string])[] = [
  [/^Flow .* end with a (.)$/, 'expected $1 before this: what it closes was begun and has no end'],
  [/^Missing closing (.)quote$/, 'no $1 ends this text'],
  [/^Implicit map keys need .*$/, 'expected KEY: VALUE in this line, with a space after the colon'],
  [
    /^(?:All (?:mapping|sequence) items must .*|Sequence item without - indicator)$/,
    'this line is not indented as the others of its map or list',
  ],
  [/^A block sequence may not .*$/, 'this line is not indented as the others of its list'],
  [
    /^Nested mappings are not allowed .*$/,
    'a second key in this value: a key stands on a line of its own, indented as the others of its map, and text with ": " in it in quotes',
  ],
  [/^Plain value cannot start with .* (\S)$/, 'a value cannot begin with $1: put it in quotes'],
  [/^Unexpected .* in YAML stream: (".*")$/, 'unexpected $1'],
  [/^Unexpected scalar at node end$/, 'something follows the end of a value: put the whole of it in quotes'],
  [/^Alias cannot be an empty string$/, 'YAML takes * for the name of something said before: put "*" in quotes'],
  [/^Unresolved alias .*: (\S+)$/, 'YAML takes * for the name of something said before: put "*$1" in quotes'],
];

export function syntaxSentence({ code, message }: SyntaxFault): string {
  const sentence = SENTENCES[code];
  if (sentence !== undefined) return sentence;
  for (const [pattern, words] of BY_MESSAGE) if (pattern.test(message)) return message.replace(pattern, words);
  return message;
}
