/** `npm run bench`: times, rates and ratios, all measured in one run. */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import {
  hugePages,
  metadata,
  missingPages,
  presentPages,
  rangeSizes,
  snapshots,
  sparseSpaces,
  startTime,
} from './cases.ts';
import { againstSpin, checkingSpeed } from './checking.ts';
import { type Results, reportText } from './report.ts';
import { CHUNK } from './setup.ts';

const HELP = `npm run bench [-- options]

  --json         print one JSON object; times in nanoseconds
  --quick        few rounds: to see that it runs
  --pages N      pages of the main cases (default 4096)
  --only NAME    one section: present, huge, missing, snapshots, sizes, sparse, metadata, start,
                 checking, spin`;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    pages: { type: 'string', default: '4096' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

async function main(): Promise<void> {
  if (values.help) {
    console.log(HELP);
    return;
  }
  const pages = Number(values.pages);
  if (!Number.isInteger(pages) || pages < 1 || pages > 2 ** 18) {
    throw new RangeError(`--pages: expected an integer from 1 to ${2 ** 18}, got ${values.pages}`);
  }
  const effort = values.quick ? { rounds: 3, warmUp: 1 } : { rounds: 21, warmUp: 8 };
  const powers = values.quick ? [8, 12] : [8, 10, 12, 14, 16, 18];
  const areas = values.quick ? [1, 64] : [1, 64, 1024, 8192];
  const checking = values.quick
    ? { schedules: 3, rounds: 1, warmUp: 0 }
    : { schedules: 100, rounds: 5, warmUp: 4 };
  const sections = {
    present: () => presentPages(pages, effort),
    huge: () => hugePages(Math.max(1, Math.floor(pages / CHUNK)), effort),
    missing: () => [missingPages(pages, false, effort), missingPages(pages, true, effort)],
    snapshots: () => snapshots(pages, effort),
    sizes: () => rangeSizes(powers, effort),
    sparse: () => sparseSpaces(areas, effort),
    metadata: () => metadata(),
    start: () => startTime(effort),
    checking: () => checkingSpeed(checking),
    spin: () => againstSpin(values.quick ? 1 : 5),
  };
  const names = Object.keys(sections) as (keyof typeof sections)[];
  const chosen = values.only === undefined ? names : names.filter((name) => name === values.only);
  if (chosen.length === 0) throw new RangeError(`--only: expected one of ${names.join(', ')}`);
  const machine = { node: process.version, cpu: cpus()[0]?.model.trim() ?? 'unknown' };
  const measured: [string, unknown][] = [];
  for (const name of chosen) measured.push([name, await sections[name]()]);
  const results: Results = Object.fromEntries(measured);
  if (values.json) console.log(JSON.stringify({ machine, effort, ...results }));
  else
    console.log(
      `Node ${machine.node}, ${machine.cpu}; medians of at least ${effort.rounds} rounds\n`,
    );
  if (!values.json) console.log(reportText(results));
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
