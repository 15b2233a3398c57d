/**
 * Every pair of operations, one state of memory after the other: `npm run pairs -- FOLDER [STATE…]`. What is left
 * to do is kept in the folder, and the same command goes on from there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { STATE_NAMES } from '../dist/checker/pairs.js';

const [folder, ...named] = process.argv.slice(2);
if (folder === undefined) {
  console.error('pairs: expected a folder, to keep in it what is left to do');
  process.exit(2);
}
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
mkdirSync(folder, { recursive: true });
let worst = 0;
for (const state of named.length > 0 ? named : STATE_NAMES) {
  const [done, rest] = [join(folder, `${state}.txt`), join(folder, `${state}.run`)];
  if (existsSync(done)) continue;
  console.log(`${state}:`);
  const args = ['check', '--pairs', '--states', state, '--resume', rest, '--keep-every', '600'];
  const { status, stdout } = spawnSync(process.execPath, [main, ...args], {
    stdio: ['inherit', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  process.stdout.write(stdout);
  if (status === null || status > 1) process.exit(status ?? 130);
  writeFileSync(done, stdout);
  worst = Math.max(worst, status);
}
process.exit(worst);
