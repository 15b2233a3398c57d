/** How long migrations take: on this machine, of the model. */
import type { Kernel$ } from '../../machine/step.ts';
import { test } from '../harness.ts';
import { PROT_READ_WRITE } from '../process.ts';
import type { Test } from '../test.ts';
import { Words } from '../test-words.ts';

const ITERATIONS = 5;
const LOW_BYTE = new Words('i & 0xFF', 1, 0, 0xff);
const MEGABYTE = 2 ** 20;
const GIGABYTE = 2 ** 30;

/** Means, a migration: milliseconds, and gigabytes a second. */
interface Times {
  toDevice: number;
  toSystem: number;
  toDeviceRate: number;
  toSystemRate: number;
}

/** @returns 0 or what a command returned */
function* measure(t: Test, useThp: boolean, npages: number, times: Times): Kernel$<number> {
  const { process, fd } = t;
  // as 7.3.4 maps it: there would be no huge page in the small ones otherwise
  const buffer = yield* t.buffer(npages, npages, PROT_READ_WRITE, { aligned: true });
  const advice = useThp ? 'hugepage' : 'nohugepage';
  let ret = yield* process.madvise(buffer.ptr, npages, advice);
  if (!ret) {
    yield* process.write(buffer.ptr, npages, LOW_BYTE);
    let toDevice = 0;
    let toSystem = 0;
    // the first one does not count
    for (let i = -1; i < ITERATIONS && !ret; i++) {
      const begin = performance.now();
      ret = yield* fd.migrateToDevice(buffer, npages);
      const between = performance.now();
      if (!ret) ret = yield* fd.migrateToSystem(buffer, npages);
      if (i < 0) continue;
      toDevice += between - begin;
      toSystem += performance.now() - between;
    }
    times.toDevice = toDevice / ITERATIONS;
    times.toSystem = toSystem / ITERATIONS;
    const size = (npages * process.k.geometry.pageBytes) / GIGABYTE;
    times.toDeviceRate = size / (times.toDevice / 1000);
    times.toSystemRate = size / (times.toSystem / 1000);
  }
  yield* t.free(buffer);
  return ret;
}

function printTable(t: Test, title: string, npages: number, thp: Times, regular: Times): void {
  const size = (npages * t.computer.kernel.geometry.pageBytes) / MEGABYTE;
  const row = (name: string, unit: string, digits: number, key: keyof Times, sign: number) => {
    const cell = (value: number) => `${value.toFixed(digits)} ${unit}`.padEnd(15);
    const better = ((sign * (thp[key] - regular[key])) / regular[key]) * 100;
    t.print(
      `${name.padEnd(20)} | ${cell(thp[key])} | ${cell(regular[key])} | ${better.toFixed(1)}%`,
    );
  };
  t.print(`=== ${title} (${size.toFixed(1)} MB) ===`);
  t.print('                     | With THP        | Without THP     | Improvement');
  t.print('-'.repeat(69));
  row('Sys->Dev Migration', 'ms', 3, 'toDevice', -1);
  row('Dev->Sys Migration', 'ms', 3, 'toSystem', -1);
  row('S->D Throughput', 'GB/s', 2, 'toDeviceRate', 1);
  row('D->S Throughput', 'GB/s', 2, 'toSystemRate', 1);
}

export const benchmarkThpMigration = test('hmm', 'benchmark_thp_migration', function* (t) {
  const thp = t.hugePages;
  t.print('HMM THP Migration Benchmark');
  t.print('---------------------------');
  t.print(`System page size: ${t.computer.kernel.geometry.pageBytes} bytes`);
  const sizes = [
    ['Small Buffer', thp / 4],
    ['Half THP Size', thp / 2],
    ['Single THP Size', thp],
    ['Two THP Size', thp * 2],
    ['Four THP Size', thp * 4],
    ['Eight THP Size', thp * 8],
    ['One twenty eight THP Size', thp * 128],
  ] as const;
  for (const [title, npages] of sizes) {
    const withThp: Times = { toDevice: 0, toSystem: 0, toDeviceRate: 0, toSystemRate: 0 };
    const regular: Times = { ...withThp };
    for (const [useThp, times] of [
      [1, withThp],
      [0, regular],
    ] as const) {
      const ret = yield* measure(t, useThp === 1, npages, times);
      t.assertEq({ [`run_migration_benchmark(use_thp = ${useThp})`]: ret }, 0);
    }
    printTable(t, title, npages, withThp, regular);
  }
});
