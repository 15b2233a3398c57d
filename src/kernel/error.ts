/** Something about a kernel, or what is needed to run it, that the user has to mend. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
}
