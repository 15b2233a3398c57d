/**
 * A check that is ended by SIGKILL again and again, at moments that nobody chose, comes to the verdict of one that is
 * not, and loses no more than it may each time. `npm run test:long -- resume`; how often: SOFTLEAF_KILLS.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { executable, root, softleaf } from '../support/cli.ts';

const KILLS = Number(process.env.SOFTLEAF_KILLS ?? 30);
/** Seconds. */
const EVERY = 1;
/** Seconds that threads may take to come to the end of a schedule and the file to be written, on a busy machine. */
const SLACK = 5;

it(`SIGKILL ${KILLS} times`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'softleaf-killed-'));
  const state = join(dir, 'run.json');
  const file = join(root, 'scenarios', 'two-devices-overlap.json');
  const args = ['check', file, '--strategy', 'exhaustive', '--schedules', '20000'];
  const whole = softleaf([...args, '--json'], dir);
  let kills = 0;
  const lost: number[] = [];
  const keeping = [...args, '--resume', state, '--keep-every', String(EVERY), '--json'];
  while (kills < KILLS) {
    const began = Date.now();
    // the number of threads changes nothing
    const workers = String(1 + (kills % 2));
    const child = spawn(process.execPath, [executable, ...keeping, '--workers', workers]);
    const ended = new Promise((done) => child.on('close', done));
    await Promise.race([setTimeout(500 + Math.random() * 5000), ended]);
    child.kill('SIGKILL');
    const now = Date.now();
    await ended;
    // killed while it begins, it loses nothing but its beginning
    const kept = existsSync(state) ? statSync(state).mtimeMs : 0;
    lost.push((now - Math.max(kept, began)) / 1000);
    kills++;
    if (child.signalCode === null) break;
  }
  const rest = softleaf([...args, '--resume', state, '--json'], dir);
  const [least, most] = [Math.min(...lost), Math.max(...lost)];
  console.log(
    `${kills} kills; seconds since the run began or was kept: ${least.toFixed(2)} to ${most.toFixed(2)}`,
  );
  expect(kills).toBe(KILLS);
  expect(rest.code).toBe(whole.code);
  expect(JSON.parse(rest.out)).toEqual(JSON.parse(whole.out));
  expect(most).toBeLessThan(EVERY + SLACK);
  rmSync(dir, { recursive: true });
});
