/** The kernel that a user means: a bzImage, or the folder in which it was built. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KernelError } from './error.ts';

/** Where a build of x86 leaves the kernel. */
const BUILT = 'arch/x86/boot/bzImage';
/** Modules that a build may have and the agent wants. */
const MODULES = [
  'drivers/virtio/virtio_console.ko',
  'drivers/char/virtio_console.ko',
  'lib/test_hmm.ko',
];

export interface KernelImage {
  file: string;
  /** Modules that are to be loaded, in order. */
  modules: string[];
}

/**
 * Finds a kernel.
 * @param modules that were named besides
 * @throws KernelError where there is none
 */
export function kernelImage(path: string, modules: readonly string[] = []): KernelImage {
  let file = path;
  let built: string[] = [];
  try {
    if (statSync(path).isDirectory()) {
      file = join(path, BUILT);
      if (!existsSync(file))
        throw new KernelError(`${path}: no kernel was built here (no ${BUILT})`);
      built = MODULES.map((name) => join(path, name)).filter((name) => existsSync(name));
    }
    const head = readFileSync(file).subarray(0, 0x210);
    // Documentation/arch/x86/boot.rst
    if (head.toString('latin1', 0x202, 0x206) !== 'HdrS')
      throw new KernelError(`${file}: this is no bzImage of x86`);
    for (const module of modules) statSync(module);
  } catch (error) {
    if (error instanceof KernelError) throw error;
    throw new KernelError(
      `cannot read ${(error as NodeJS.ErrnoException).path ?? path}: ${(error as Error).message}`,
    );
  }
  return { file, modules: modules.length > 0 ? [...modules] : built };
}
