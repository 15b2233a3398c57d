/**
 * The source as Node runs it: each module of src/ without its types, in build/tested/. Vitest's own module
 * runner looks up every imported function anew at each call, and compiles the source for each file of tests.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, transformWithOxc } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SOURCE = join(root, 'src');
export const COMPILED = join(root, 'build/tested');

/** What Node runs as it is: nothing is to be done to it. */
export const COMPILED_CODE = [/\/build\/tested\//, /\/dist\//];

/** Where a module of the source is compiled to; null for what is none, or finds the package by its own place. */
function compiledPath(path: string): string | null {
  const name = relative(SOURCE, path);
  if (name.startsWith('..') || name.startsWith('cli/') || !name.endsWith('.ts')) return null;
  return join(COMPILED, name.replace(/\.ts$/, '.js'));
}

/** Takes the types out of every module. */
export async function compile(): Promise<void> {
  rmSync(COMPILED, { recursive: true, force: true });
  for (const name of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })) {
    const path = join(SOURCE, name);
    const to = compiledPath(path);
    if (to === null) continue;
    const options = { target: 'es2023', sourcemap: true } as const;
    const { code, map } = await transformWithOxc(readFileSync(path, 'utf8'), path, options);
    const imports = /(\bfrom\s*|\bimport\(?\s*)(['"])(\.[^'"\n]*)\.ts\2/g;
    const js = code.replace(imports, '$1$2$3.js$2');
    const inline = Buffer.from(JSON.stringify(map)).toString('base64');
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, `${js}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`);
  }
}

/** Imports of the source are of what was compiled. */
export function compiled(): Plugin {
  return {
    name: 'compiled',
    enforce: 'pre',
    async resolveId(id, importer, options) {
      const found = await this.resolve(id, importer, { ...options, skipSelf: true });
      return found && compiledPath(found.id);
    },
  };
}
