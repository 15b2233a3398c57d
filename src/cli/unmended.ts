/** `--unmended`: mends of the kernel that are off in what a command runs. */
import { UNMENDED, type Unmended } from '../mm/light.ts';

/** Whether a mend is called so, or it is all of them. */
export const isMend = (name: unknown): name is Unmended => UNMENDED.some((known) => known === name);

/** What was kept of it. */
export function keptUnmended(value: unknown): { unmended?: readonly Unmended[] } {
  return Array.isArray(value) && value.every(isMend) ? { unmended: value } : {};
}

/** A program on a machine in which these are off, and no others; as it is where nothing is said. */
export function withUnmended<P extends { machine?: { unmended?: Unmended[] } }>(
  program: P,
  unmended: readonly Unmended[] | undefined,
): P {
  if (unmended === undefined) return program;
  return { ...program, machine: { ...program.machine, unmended: [...unmended] } };
}
