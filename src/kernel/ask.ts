/** Many programs on a kernel: one boot for as many as it survives, another behind each that ends it. */
import type { Program } from '../program/format.ts';
import type { Start } from './guest.ts';
import { type OnAnswer, Session, type SessionOptions } from './session.ts';

export interface AskOptions extends SessionOptions {
  onAnswer: OnAnswer<Program>;
}

export interface Asked {
  /** Kernels that were started. */
  starts: number;
  /** Kernels that ended under a program. */
  crashes: number;
}

/**
 * Asks programs of a kernel, and ends it.
 * @throws KernelError where a kernel does not come up
 */
export async function askAll(
  programs: readonly Program[],
  start: Start,
  options: AskOptions,
): Promise<Asked> {
  const session = new Session(start, options);
  try {
    await session.askAll(programs, options.onAnswer);
  } finally {
    await session.close();
  }
  return { starts: session.starts, crashes: session.crashes };
}
