/**
 * The agent (agent/ in the package) as a static executable: compiled where it is first needed and kept in the
 * user's cache under a digest of its source.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { KernelError } from './error.ts';

/** Compilers that are tried, in order: a small C library first where both are there. */
const COMPILERS = ['musl-gcc', 'gcc', 'cc', 'clang'];
const FLAGS = ['-static', '-O2', '-s', '-pthread'];

/** `$XDG_CACHE_HOME/softleaf`, or what stands for it. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'softleaf');
}

/**
 * The agent's executable.
 * @param sources the folder with its source
 * @param env whose CC names a compiler, and whose XDG_CACHE_HOME says where to keep what was compiled
 * @throws KernelError where it cannot be compiled, with what every compiler said
 */
export function agentFile(sources: string, env: NodeJS.ProcessEnv = process.env): string {
  const files = readdirSync(sources).filter((name) => /\.[ch]$/.test(name));
  const hash = createHash('sha256').update(process.arch);
  for (const name of files.sort()) hash.update(name).update(readFileSync(join(sources, name)));
  const folder = cacheFolder(env);
  const kept = join(folder, `agent-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(kept)) return kept;
  mkdirSync(folder, { recursive: true });
  // beside, and renamed: another run may want it at the same time
  const work = mkdtempSync(join(folder, 'making-'));
  const said: string[] = [];
  try {
    for (const compiler of env.CC ? [env.CC] : COMPILERS) {
      const inputs = files.filter((name) => name.endsWith('.c')).map((name) => join(sources, name));
      const args = [...FLAGS, '-o', join(work, 'agent'), ...inputs];
      const { error, status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
      if (!error && status === 0) {
        renameSync(join(work, 'agent'), kept);
        return kept;
      }
      const missing = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
      said.push(`  ${compiler}: ${missing ? 'not there' : (error?.message ?? firstError(stderr))}`);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  throw new KernelError(
    `the agent must be compiled, and no compiler does it (a C compiler and a static C library; or --agent FILE):\n${said.join('\n')}`,
  );
}

/** The line of a compiler's output that says what is wrong. */
function firstError(stderr: string): string {
  const lines = stderr.split('\n');
  return lines.find((line) => /\berror\b|cannot find/.test(line)) ?? lines[0] ?? 'failed';
}
