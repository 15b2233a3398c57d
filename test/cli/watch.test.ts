import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { watchFiles } from '../../src/cli/watch.ts';

it('a file that changes while it is read for the first time is read again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'softleaf-watch-'));
  const file = join(dir, 'p.json');
  writeFileSync(file, '');
  let times = 0;
  let end = (): void => {};
  const ended = new Promise<void>((done) => {
    end = done;
  });
  const again = async (): Promise<void> => {
    times++;
    if (times === 1) writeFileSync(file, '{}');
    else end();
  };
  // for what never comes
  await watchFiles(
    [file],
    again,
    Promise.race([ended, setTimeout(20_000, undefined, { ref: false })]),
  );
  rmSync(dir, { recursive: true });
  expect(times).toBe(2);
});
