/** Before any test: what the executable and the package's exports are made of is built once. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export default function build(): void {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    encoding: 'utf8',
  });
  // tsc exits with 1 where it wrote nothing; type errors are another step's business.
  if (status === 1 || status === null) throw new Error(`no build:\n${stdout}${stderr}`);
}
