/** What is measured. Each function returns plain figures; `report.ts` prints them. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { faultMigrateToDevice, migrateToSystem } from '../src/drivers/index.ts';
import type { Walk } from '../src/mm/index.ts';
import { compare, type Job, type Sample, summarize } from './measure.ts';
import { Bench, CHUNK } from './setup.ts';

export interface Effort {
  /** Rounds that count. */
  rounds: number;
  warmUp: number;
}

const PAGE = 4096;

/** Present base pages to the device and back, against copying as many bytes. */
export function presentPages(pages: number, effort: Effort) {
  const from = new Uint8Array(pages * PAGE).fill(1);
  const to = new Uint8Array(pages * PAGE).fill(2);
  const copy = {
    'copy page by page': {
      run: () => {
        for (let at = 0; at < to.length; at += PAGE) to.set(from.subarray(at, at + PAGE), at);
      },
    },
    'copy in one': { run: () => to.set(from) },
  };
  const migrations = (walk: Walk) => {
    const bench = new Bench({ walk });
    const start = bench.map(pages);
    const back = () => {
      bench.run(migrateToSystem(bench.k, bench.mirror, start, start + pages));
    };
    bench.touch(start, pages);
    const to = () => void bench.run(bench.migrate(start, pages));
    // whichever way the jobs come: the pages are where they are taken from
    return { to: { prepare: back, run: to }, back: { prepare: to, run: back } };
  };
  const unified = migrations('unified');
  const collect = migrations('collect');
  return {
    pages,
    ...compare(
      {
        ...copy,
        'to the device, unified': unified.to,
        'back to RAM, unified': unified.back,
        'to the device, collect': collect.to,
        'back to RAM, collect': collect.back,
      },
      effort,
    ),
  };
}

/** Present huge pages to the device and back, against copying as many bytes. */
export function hugePages(count: number, effort: Effort) {
  const pages = count * CHUNK;
  const huge = CHUNK * PAGE;
  const from = new Uint8Array(pages * PAGE).fill(1);
  const to = new Uint8Array(pages * PAGE).fill(2);
  const copy = {
    run: () => {
      for (let at = 0; at < to.length; at += huge) to.set(from.subarray(at, at + huge), at);
    },
  };
  const migrations = (walk: Walk) => {
    const bench = new Bench({ walk });
    const start = bench.mapHuge(count);
    const there = (chunk: number) => void bench.run(bench.migrate(start, pages, chunk));
    const back = () => {
      bench.run(migrateToSystem(bench.k, bench.mirror, start, start + pages));
    };
    const before = bench.k.counters.entriesVisited;
    there(pages);
    const entries = (bench.k.counters.entriesVisited - before) / count;
    back();
    return {
      atOnce: { prepare: back, run: () => there(pages) },
      oneByOne: { prepare: back, run: () => there(CHUNK) },
      back: { prepare: () => there(pages), run: back },
      entries,
    };
  };
  const unified = migrations('unified');
  const collect = migrations('collect');
  return {
    pages,
    'entries visited a huge page, unified': unified.entries,
    'entries visited a huge page, collect': collect.entries,
    ...compare(
      {
        'copy huge page by huge page': copy,
        'to the device at once, unified': unified.atOnce,
        'to the device one by one, unified': unified.oneByOne,
        'back to RAM, unified': unified.back,
        'to the device at once, collect': collect.atOnce,
        'to the device one by one, collect': collect.oneByOne,
        'back to RAM, collect': collect.back,
      },
      // a round is few calls: it takes many until they are compiled
      { rounds: effort.rounds * 3, warmUp: effort.warmUp * 20 },
    ),
  };
}

/** Missing pages, faulted and migrated: one walk against two. */
export function missingPages(pages: number, write: boolean, effort: Effort) {
  const jobs = (walk: Walk, driver: boolean) => {
    const bench = new Bench({ walk });
    const start = bench.map(pages);
    return {
      prepare: () => {
        bench.unmap(start, pages);
        bench.map(pages);
      },
      run: () => {
        if (driver)
          bench.run(faultMigrateToDevice(bench.k, bench.mirror, start, start + pages, write));
        else bench.run(bench.faultAndMigrate(start, pages, write));
      },
    };
  };
  // apart from each other: the test driver's results are large arrays, whose collection takes time
  return {
    pages,
    write,
    ...compare({ unified: jobs('unified', false), collect: jobs('collect', false) }, effort),
    ...compare(
      {
        'unified, test driver': jobs('unified', true),
        'collect, test driver': jobs('collect', true),
      },
      effort,
    ),
  };
}

/** A walk that only looks. */
export function snapshots(pages: number, effort: Effort) {
  const present = new Bench();
  present.touch(present.map(pages), pages);
  const missing = new Bench();
  missing.map(pages);
  const onDevice = new Bench();
  const start = onDevice.map(pages);
  onDevice.touch(start, pages);
  onDevice.run(onDevice.migrate(start, pages));
  const job = (bench: Bench) => ({ run: () => void bench.run(bench.snapshot(start, pages)) });
  return {
    pages,
    ...compare(
      { present: job(present), missing: job(missing), 'on the device': job(onDevice) },
      effort,
    ),
  };
}

/** Cost a page against the range's size; pages of 16 bytes, so that only the bookkeeping counts. */
export function rangeSizes(powers: readonly number[], effort: Effort) {
  return powers.map((power) => {
    const pages = 2 ** power;
    const bench = new Bench({ pageBytes: 16 });
    const start = bench.map(pages);
    bench.touch(start, pages);
    const rounds = Math.max(3, Math.min(effort.rounds, 2 ** (20 - power)));
    const times = compare(
      {
        snapshot: { run: () => void bench.run(bench.snapshot(start, pages)) },
        migrate: { run: () => void bench.run(bench.migrate(start, pages)) },
        back: {
          run: () => void bench.run(migrateToSystem(bench.k, bench.mirror, start, start + pages)),
        },
      },
      { rounds, warmUp: Math.min(effort.warmUp, rounds) },
    );
    return { pages, ...times };
  });
}

/** How often a short job is repeated, so that its time can be measured. */
const REPEAT = 4;

/**
 * The same range in address spaces with more and more else in them: an area of a page a GiB. The
 * address spaces take turns, so that none has the better time.
 */
export function sparseSpaces(areas: readonly number[], effort: Effort) {
  const GIB = 2 ** 18;
  const spaces = areas.map((count) => {
    const bench = new Bench({ pageBytes: 16 });
    const base = bench.k.geometry.bufferBase;
    const start = bench.map(CHUNK, base - GIB);
    bench.touch(start, CHUNK);
    for (let area = 0; area < count; area++) bench.touch(bench.map(1, base + area * GIB), 1);
    return { bench, start, middle: base + Math.floor(count / 2) * GIB };
  });
  const inEach = (body: (space: (typeof spaces)[number]) => void): Sample[] => {
    const jobs = spaces.map((space, i): [string, Job] => {
      const repeat = () => {
        for (let round = 0; round < REPEAT; round++) body(space);
      };
      return [`space ${i}`, { run: repeat }];
    });
    const samples = Object.values(compare(Object.fromEntries(jobs), effort));
    return samples.map(({ median, low, high }) => ({
      median: median / REPEAT,
      low: low / REPEAT,
      high: high / REPEAT,
    }));
  };
  const thereAndBack = (bench: Bench, start: number, pages: number) => {
    bench.run(bench.migrate(start, pages));
    bench.run(migrateToSystem(bench.k, bench.mirror, start, start + pages));
  };
  const snapshot = inEach(({ bench, start }) => bench.run(bench.snapshot(start, CHUNK)));
  const many = inEach(({ bench, start }) => thereAndBack(bench, start, CHUNK));
  const one = inEach(({ bench, middle }) => thereAndBack(bench, middle, 1));
  return spaces.map(({ bench }, i) => ({
    areas: areas[i],
    tables: bench.k.tables.used,
    'snapshot 512 pages': snapshot[i],
    'migrate 512 pages and back': many[i],
    'migrate 1 page and back': one[i],
  }));
}

/** Bytes that the model keeps for a page beside the page's own. */
export function metadata() {
  const bench = new Bench();
  const { bytesPerPage } = bench.k.pages;
  const entry = bench.k.tables.entries.BYTES_PER_ELEMENT;
  return { 'page metadata': bytesPerPage, 'page-table entry': entry, 'device page-table entry': 4 };
}

/** A command from its start to its end, and what of it is Node's own start. */
export function startTime(effort: Effort) {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const time = (args: string[]) => {
    const start = process.hrtime.bigint();
    const { status } = spawnSync(process.execPath, args);
    if (status !== 0) throw new Error(`node ${args.join(' ')}: exit code ${status}`);
    return Number(process.hrtime.bigint() - start);
  };
  const commands = {
    'node alone': ['-e', '0'],
    'softleaf --version': [main, '--version'],
    'softleaf run --help': [main, 'run', '--help'],
  };
  return Object.fromEntries(
    Object.entries(commands).map(([name, args]) => {
      time(args);
      return [name, summarize(Array.from({ length: effort.rounds }, () => time(args)))];
    }),
  );
}
