/** The sources of the project as the compiler sees them, for the tests of style. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface Import {
  /** As written: `../base/clock.js`, `undici`, `node:http`. */
  readonly from: string;
  readonly isTypeOnly: boolean;
}

export interface Source {
  /** From the top of the project: `lib/base/clock.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

/** All TypeScript files of a folder. */
export function sourcesOf(folder: 'lib' | 'test' | 'bench'): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .sort()
    .map((name) => readSource(`${folder}/${name.replaceAll('\\', '/')}`));
}

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  return { path, text, lines: text.split('\n'), tree, imports: importsOf(tree) };
}

function importsOf(tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  walk(tree, (node) => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      found.push({ from: textOf(node.moduleSpecifier), isTypeOnly: isTypeOnly(node) });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      found.push({ from: textOf(node.argument.literal), isTypeOnly: true });
    } else if (ts.isCallExpression(node) && loads(node.expression)) {
      const [first] = node.arguments;
      if (first !== undefined && ts.isStringLiteral(first)) found.push({ from: first.text, isTypeOnly: false });
    }
  });
  return found;
}

/** import(), and require() by the names that CommonJS packages are loaded with. */
function loads(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require');
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  const clause = node.importClause;
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  if (clause.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings)) return false;
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
}

function textOf(node: ts.Node): string {
  return ts.isStringLiteral(node) ? node.text : '';
}

/** Visits every node below and including `node`. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** `path:line`, as editors open it. */
export function placeOf(source: Source, node: ts.Node): string {
  return `${source.path}:${source.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

export interface Comment {
  readonly place: string;
  readonly text: string;
}

const known = new WeakMap<Source, readonly Comment[]>();

/** Every comment of a file, with its place. */
export function commentsOf(source: Source): readonly Comment[] {
  let comments = known.get(source);
  if (comments === undefined) {
    comments = readComments(source);
    known.set(source, comments);
  }
  return comments;
}

function readComments(source: Source): readonly Comment[] {
  const seen = new Map<number, string>();
  walk(source.tree, (node) => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(source.text, node.getEnd()) ?? []),
    ];
    for (const { pos, end } of ranges) seen.set(pos, source.text.slice(pos, end));
  });
  return [...seen].map(([pos, text]) => {
    return { place: `${source.path}:${source.tree.getLineAndCharacterOfPosition(pos).line + 1}`, text };
  });
}
