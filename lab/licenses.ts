/** A step of the lab's build: the licenses of all that is in it, as they ask for. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/** The built file. */
export const LICENSES = 'licenses.txt';

/** Packages whose own code a bundler puts in, by what it calls that. */
const HELPERS: readonly [module: RegExp, name: string][] = [
  [/^\0?(vite\/|@vite\/|virtual:vite)/, 'vite'],
  [/^\0rolldown\//, 'rolldown'],
];

/** The package that a module is of; null: it is of no package's. */
export function packageOf(module: string): string | null {
  const helper = HELPERS.find(([pattern]) => pattern.test(module));
  if (helper) return helper[1];
  // the innermost one
  const within = module
    .split(/[\\/]node_modules[\\/]/)
    .slice(1)
    .at(-1);
  if (within === undefined) return null;
  const [scope, name] = within.split(/[\\/]/);
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

/** What a license's file says of the package itself: some go on with those of the tools it was made with. */
function ownPart(text: string): string {
  return text.split(/^# Licenses of bundled dependencies$/m)[0].trim();
}

/**
 * What a package asks to be said of it.
 * @param root the folder with `node_modules`
 * @throws Error where it has no license
 */
export function noticeOf(name: string, root: string): string {
  const folder = join(root, 'node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((one) => /^(licen[cs]e|copying)(\.(md|txt))?$/i.test(one));
  if (!file || typeof license !== 'string') throw new Error(`${name} has no license: ${folder}`);
  const text = readFileSync(join(folder, file), 'utf8');
  return `${name} ${version} (${license})\n\n${ownPart(text)}\n`;
}

/** The file: the project's own license, then those of the packages whose modules are in the build. */
export function licensesText(modules: Iterable<string>, root: string): string {
  const names = new Set([...modules].map(packageOf).filter((name) => name !== null));
  const own = readFileSync(join(root, 'LICENSE'), 'utf8').trim();
  return [
    'This page is Softleaf (GPL-2.0-only). It contains the packages below, each under its own license.\n',
    ...[...names].sort().map((name) => noticeOf(name, root)),
    `Softleaf (GPL-2.0-only)\n\n${own}\n`,
  ].join(`\n${'-'.repeat(100)}\n\n`);
}

/**
 * Puts a file with the licenses into the build.
 * @param root the folder with `LICENSE` and `node_modules`
 * @returns the plugin, and one that tells it of what is in workers
 */
export function licenses(root: string): { page: Plugin; worker: Plugin } {
  if (!existsSync(join(root, 'LICENSE'))) throw new Error(`no LICENSE in ${root}`);
  const modules = new Set<string>();
  const note = (id: string): void => void modules.add(id);
  return {
    worker: {
      name: 'licenses-of-workers',
      generateBundle(_, bundle) {
        for (const made of Object.values(bundle))
          if (made.type === 'chunk') made.moduleIds.forEach(note);
      },
    },
    page: {
      name: 'licenses',
      apply: 'build',
      enforce: 'post',
      generateBundle: {
        order: 'post',
        handler(_, bundle) {
          for (const made of Object.values(bundle))
            if (made.type === 'chunk') made.moduleIds.forEach(note);
          const source = licensesText(modules, root);
          this.emitFile({ type: 'asset', fileName: LICENSES, source });
        },
      },
    },
  };
}
