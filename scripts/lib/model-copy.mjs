/**
 * Copies of the model, in which a mistake can be put: made within the repository, so that the compiler
 * and Node find its packages.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Where this process keeps its copies. */
export const work = (name) => join(root, 'build', `${name}-${process.pid}`);

/**
 * Copies folders of the repository.
 * @param to where to: two folders below `build/`
 * @param folders what is copied and compiled
 * @param wanted whether a path is copied
 */
export function copyModel(to, folders, wanted = () => true) {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const folder of folders) {
    cpSync(join(root, folder), join(to, folder), { recursive: true, filter: wanted });
  }
  const config = {
    extends: '../../../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      incremental: true,
      rootDir: '.',
      outDir: 'out',
      // what a mistake takes out may be what used something
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    include: folders,
  };
  writeFileSync(join(to, 'tsconfig.json'), JSON.stringify(config));
  return to;
}

/** Compiles a copy to its `out`; again: only what has changed. */
export function compileModel(at) {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', join(at, 'tsconfig.json')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`does not compile:\n${stdout}`);
}
