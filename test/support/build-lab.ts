/** Before any test in a browser: the lab is built, if it has changed, for every file of tests. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isLabCurrent } from '../../scripts/lab-built.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

export default function buildLab(): void {
  if (isLabCurrent()) return;
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build:lab'], {
    cwd: root,
    encoding: 'utf8',
    // as it is shipped: the tests' own environment would make another
    env: { ...process.env, NODE_ENV: 'production' },
  });
  if (status !== 0) throw new Error(`no lab:\n${stdout}${stderr}`);
}
