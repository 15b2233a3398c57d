/**
 * The built command line. It takes longer to start it than most of what tests ask of it: they share one that
 * has started. What a process of its own does (signals, standard input, the shell's exit code) has tests of
 * its own.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** The executable. */
export const executable = join(root, 'dist/cli/main.js');

export interface Said {
  code: number;
  out: string;
  err: string;
}

let thread: Worker | null = null;

/** Runs `softleaf` with these arguments in a folder. */
export function softleaf(args: readonly string[], cwd: string): Said {
  if (thread === null) {
    const cli = new URL('../../dist/cli/cli.js', import.meta.url).href;
    thread = new Worker(new URL('./cli-thread.mjs', import.meta.url), { workerData: { cli } });
    thread.unref();
  }
  const done = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const before = process.cwd();
  process.chdir(cwd);
  try {
    thread.postMessage({ args, env: { ...process.env }, port: port2, done }, [port2]);
    Atomics.wait(done, 0, 0);
    return receiveMessageOnPort(port1)?.message as Said;
  } finally {
    process.chdir(before);
    port1.close();
  }
}
