/** The driver of examples/scenarios/lib/gpu.mjs, right and wrong, against whatever a CPU may do meanwhile. */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const EXAMPLES = join(ROOT, 'examples/scenarios');

/** What the CPU does: an expression, and what it needs of the package. */
export const CPU_OPERATIONS: Readonly<Record<string, string>> = {
  munmap: 'munmap(k, mm, page, page + 1)',
  'mprotect for reading': 'mprotect(k, mm, page, page + 1, VM_READ)',
  'mprotect for nothing': 'mprotect(k, mm, page, page + 1, 0)',
  'madvise dontneed': "madvise(k, mm, page, page + 1, 'dontneed')",
  'madvise free': "madvise(k, mm, page, page + 1, 'free')",
  'madvise pageout': "madvise(k, mm, page, page + 1, 'pageout')",
  mremap: 'mremap(k, mm, page, 1, page + 8)',
  fork: 'dupMmap(k, k.newMm(), mm)',
  write: 'cpuWriteWord(k, mm, page, 42)',
};

/** Replaced in the sources of the driver: each must be there. */
type Change = readonly [file: string, from: string, to: string];

const GPU = 'lib/gpu.mjs';
const UNDER = 'check-under-lock.mjs';

/** What is wrong with the driver, and the file that has the scenario. */
export const DRIVERS: Readonly<Record<string, { file: string; changes: readonly Change[] }>> = {
  'checks under its lock': { file: UNDER, changes: [] },
  'checks without its lock': { file: 'check-without-lock.mjs', changes: [] },
  'does not check': {
    file: UNDER,
    changes: [
      [UNDER, 'mmuIntervalReadRetry(gpu.notifier, range.notifierSeq)', '!mmuIntervalReadRetry'],
    ],
  },
  'lets go of nothing': {
    file: UNDER,
    changes: [[GPU, '  gpu.table.eraseRange(range.start, range.end - 1);\n', '']],
  },
  'forgets the sequence': {
    file: UNDER,
    changes: [[GPU, '  mmuIntervalSetSeq(gpu.notifier, sequence);\n', '']],
  },
};

/** The GPU asks for pages to write to, and may write to them. */
const WRITES: readonly Change[] = [
  [GPU, 'defaultFlags: HMM_PFN_REQ_FAULT', 'defaultFlags: HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE'],
  [GPU, 'pfn, DPT_READ)', 'pfn, DPT_WRITE)'],
  [GPU, 'range.start, pfn, false, gpu', 'range.start, pfn, true, gpu'],
];

/** A folder in which modules find the package. */
export function packageFolder(folder: string): void {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/softleaf'));
}

function change(folder: string, [file, from, to]: Change): void {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
  writeFileSync(path, text.replace(from, to));
}

/** Writes a variant of the driver into a folder of its own, and returns the module's address. */
export function gpuVariant(folder: string, driver: string, cpu: string, writes: boolean): string {
  const { file, changes } = DRIVERS[driver];
  cpSync(EXAMPLES, folder, { recursive: true });
  const imports = [
    "import { madvise, mprotect, mremap } from 'softleaf/mm';",
    `import { dupMmap } from '${pathToFileURL(join(ROOT, 'dist/mm/fork.js')).href}';`,
    "import { DPT_WRITE } from 'softleaf/drivers';",
    "import { HMM_PFN_REQ_WRITE } from 'softleaf/hmm';",
  ].join('\n');
  const all: Change[] = [
    ...changes,
    ...(writes ? WRITES : []),
    [GPU, 'munmap(k, mm, page, page + 1)', CPU_OPERATIONS[cpu]],
    [GPU, 'export class Gpu', `${imports}\nexport class Gpu`],
  ];
  for (const one of all) change(folder, one);
  return pathToFileURL(join(folder, file)).href;
}
