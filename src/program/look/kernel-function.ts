/** What the kernel calls the functions of the model. */
import { KERNEL_NAMES } from './kernel-names.ts';

/** A kernel function. */
export interface KernelFunction {
  /** Without brackets. */
  readonly name: string;
  readonly file: string;
}

let known: Map<string, KernelFunction | null> | undefined;

/**
 * The kernel function that a modelled one stands for, the first of them where it stands for several.
 * @returns null for a function of the model alone; undefined for one that is not the model's
 */
export function kernelFunction(name: string): KernelFunction | null | undefined {
  known ??= new Map(
    KERNEL_NAMES.trim()
      .split('\n')
      .map((line) => {
        const [own, kernel, ...file] = line.split(' ');
        return [own, kernel === undefined ? null : { name: kernel, file: file.join(' ') }];
      }),
  );
  return known.get(name);
}

/** The same as text, such as `hmm_range_fault()`; empty where there is none. */
export function kernelName(name: string): string {
  const kernel = kernelFunction(name);
  return kernel ? `${kernel.name}()` : '';
}

/**
 * The kernel function that a stack ends in, as text: that of the innermost function, or of the one that a
 * function of the model alone is a part of; empty where that is not the model's.
 * @param own functions that are not the model's, though they may be called as one of it is
 */
export function kernelNameOf(stack: readonly string[], own: ReadonlySet<string>): string {
  for (const name of stack) {
    const kernel = own.has(name) ? undefined : kernelFunction(name);
    if (kernel !== null) return kernel ? `${kernel.name}()` : '';
  }
  return '';
}
