/**
 * Makes the program that ships: the compiled modules of lib, some 400, in the few files of dist/lib/bundle, since to find, read
 * and link each for itself is most of a start (lib/decisions/0046). Packages stay outside, and nothing is renamed or made shorter.
 *
 *   node .bundle.js     after `tsc --build`: makes them, unless they are made of these very modules
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
/** As deep as the folders of lib: what modules say of files beyond their own holds here as well. */
const BUNDLE = join(ROOT, 'dist/lib/bundle');
/** What they were made of, and they themselves: the hash of each file, by path. */
const MADE_OF = 'dist/.bundle.json';
const MAIN = join(ROOT, 'dist/lib/cli/main.js');

const hashOf = (path) => createHash('sha256').update(readFileSync(path)).digest('base64url');

/** Undefined where its writing was broken off. */
function read(madeOf) {
  try {
    return JSON.parse(readFileSync(madeOf, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Why the files are not those that the modules there would make; undefined where they are. */
export function whyStale(root = ROOT) {
  const madeOf = join(root, MADE_OF);
  if (!existsSync(madeOf)) return 'it was not made yet';
  const hashes = read(madeOf);
  if (hashes === undefined) return 'its making broke off';
  for (const [path, hash] of Object.entries(hashes)) {
    const file = join(root, path);
    if (!existsSync(file)) return `${path} is gone`;
    if (hashOf(file) !== hash) return `${path} has changed`;
  }
  return undefined;
}

/** A module as the compiler made it, with what leads back to its source. */
function load(id) {
  return { code: readFileSync(id, 'utf8'), map: readFileSync(`${id}.map`, 'utf8') };
}

/** What a module starts as a file of its own, a thread or a process, it names by its place beside it: there it has to be. */
const STARTED = /new URL\('\.\/([\w-]+\.js)', import\.meta\.url\)/g;

function emitStarted(code, id) {
  for (const [, name] of code.matchAll(STARTED)) {
    this.emitFile({ type: 'chunk', id: join(dirname(id), name), fileName: name });
  }
}

/** Beside the new files: none of those before, and what they were made of. */
function tidyUp(_, files) {
  for (const name of readdirSync(BUNDLE)) if (!(name in files)) rmSync(join(BUNDLE, name));
  const made = Object.keys(files).map((name) => join(BUNDLE, name));
  const modules = Object.values(files).flatMap(({ moduleIds = [] }) => moduleIds);
  const parts = [fileURLToPath(import.meta.url), join(ROOT, 'package.json'), ...modules, ...made].map((path) => [
    relative(ROOT, path),
    hashOf(path),
  ]);
  writeFileSync(join(ROOT, MADE_OF), JSON.stringify(Object.fromEntries(parts), undefined, 1));
}

async function make() {
  const { rollup } = await import('rollup');
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const bundle = await rollup({
    input: { main: MAIN },
    treeshake: false,
    external: (id) => isBuiltin(id) || id in dependencies,
    plugins: [{ name: 'patina', load, transform: emitStarted, writeBundle: tidyUp }],
    onwarn: ({ message }) => {
      throw new Error(message);
    },
  });
  await bundle.write({
    dir: BUNDLE,
    format: 'es',
    sourcemap: true,
    // What each file imports is what it imports itself, by the names that it has in the sources.
    hoistTransitiveImports: false,
    minifyInternalExports: false,
    // The same at each build, so that traces of one can be read beside another.
    chunkFileNames: ({ isDynamicEntry }) => (isDynamicEntry ? '[name].js' : 'shared.js'),
  });
  await bundle.close();
}

const isProgram = realpathSync(process.argv[1] ?? '.') === fileURLToPath(import.meta.url);
if (isProgram && whyStale() !== undefined) await make();
