/** The figures as text. */
import type {
  hugePages,
  metadata,
  missingPages,
  presentPages,
  rangeSizes,
  snapshots,
  sparseSpaces,
  startTime,
} from './cases.ts';
import type { againstSpin, checkingSpeed, Searched } from './checking.ts';
import type { Sample } from './measure.ts';

/** What a run measured: the sections that were asked for. */
export interface Results {
  present?: ReturnType<typeof presentPages>;
  huge?: ReturnType<typeof hugePages>;
  missing?: ReturnType<typeof missingPages>[];
  snapshots?: ReturnType<typeof snapshots>;
  sizes?: ReturnType<typeof rangeSizes>;
  sparse?: ReturnType<typeof sparseSpaces>;
  metadata?: ReturnType<typeof metadata>;
  start?: ReturnType<typeof startTime>;
  checking?: Awaited<ReturnType<typeof checkingSpeed>>;
  spin?: Awaited<ReturnType<typeof againstSpin>>;
}

/** Rows in columns; the first column to the left, the others to the right. */
function table(rows: readonly string[][]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const cell = (text: string, i: number) =>
    i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  return rows.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}

/** A table whose first and last columns are text. */
function left(rows: readonly string[][]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const isText = (i: number) => i === 0 || i === widths.length - 1;
  const cell = (text: string, i: number) =>
    isText(i) ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  return rows.map((row) => `    ${row.map(cell).join('  ')}`.trimEnd()).join('\n');
}

const ms = (ns: number) => `${(ns / 1e6).toFixed(2)} ms`;
const each = (ns: number, pages: number) => `${(ns / pages).toFixed(0)} ns`;
const rate = (ns: number, pages: number) => `${((pages / ns) * 1e6).toFixed(0)} k/s`;
const spread = ({ low, high }: Sample) => `${ms(low)} .. ${ms(high)}`;
const ratio = (a: Sample, b: Sample) => (a.median / b.median).toFixed(2);

const HEADING = ['', 'median', 'a page', 'pages', 'middle half'];

function timed(name: string, sample: Sample, pages: number): string[] {
  const { median } = sample;
  return [name, ms(median), each(median, pages), rate(median, pages), spread(sample)];
}

/** The samples of a section, without what says how it was measured. */
function samples(section: object): [string, Sample][] {
  return Object.entries(section).filter(([, value]) => typeof value === 'object');
}

function presentText(section: ReturnType<typeof presentPages>): string {
  const { pages } = section;
  const copy = section['copy page by page'];
  const bulk = section['copy in one'];
  const to = section['to the device, unified'];
  const rows = samples(section).map(([name, sample]) => timed(name, sample, pages));
  return [
    `Migrating ${pages} present base pages, against copying their bytes with Uint8Array.prototype.set`,
    table([HEADING, ...rows]),
    `  to the device, unified: ${ratio(to, copy)} of the copy page by page, ${ratio(to, bulk)} of the copy in one`,
  ].join('\n');
}

function hugeText(section: ReturnType<typeof hugePages>): string {
  const { pages } = section;
  const copy = section['copy huge page by huge page'];
  const atOnce = ratio(section['to the device at once, unified'], copy);
  const oneByOne = ratio(section['to the device one by one, unified'], copy);
  const rows = samples(section).map(([name, sample]) => timed(name, sample, pages));
  const entries = section['entries visited a huge page, unified'];
  return [
    `Migrating ${pages} present pages that are huge ones, against copying their bytes`,
    table([HEADING, ...rows]),
    `  to the device, unified: ${atOnce} of the copy at once, ${oneByOne} one by one; page-table entries visited a huge page: ${entries}`,
  ].join('\n');
}

function missingText(section: ReturnType<typeof missingPages>): string {
  const { pages, write } = section;
  const rows = samples(section).map(([name, sample]) => timed(name, sample, pages));
  const handler = ratio(section.unified, section.collect);
  const driver = ratio(section['unified, test driver'], section['collect, test driver']);
  return [
    `Faulting ${pages} missing pages for ${write ? 'writing' : 'reading'} and migrating them: one walk (unified), two (collect)`,
    table([HEADING, ...rows]),
    `  unified: ${handler} of collect's time; ${driver} in the test driver, which also reads the pages`,
  ].join('\n');
}

function snapshotsText(section: ReturnType<typeof snapshots>): string {
  const { pages } = section;
  const rows = samples(section).map(([name, sample]) => timed(name, sample, pages));
  return [`A walk over ${pages} pages that only looks`, table([HEADING, ...rows])].join('\n');
}

function sizesText(section: ReturnType<typeof rangeSizes>): string {
  const rows = section.map(({ pages, snapshot, migrate, back }) => [
    `${pages} pages`,
    ...[snapshot, migrate, back].map(({ median }) => each(median, pages)),
  ]);
  return [
    'Cost a page against the size of the range (pages of 16 bytes: the bookkeeping alone)',
    table([['', 'snapshot', 'to the device', 'back to RAM'], ...rows]),
  ].join('\n');
}

function sparseText(section: ReturnType<typeof sparseSpaces>): string {
  const us = ({ median }: Sample) => `${(median / 1e3).toFixed(1)} us`;
  const rows = section.map((row) => [
    `${row.areas} areas`,
    String(row.tables),
    us(row['snapshot 512 pages']),
    us(row['migrate 512 pages and back']),
    us(row['migrate 1 page and back']),
  ]);
  const heading = ['', 'tables', 'snapshot of 512', '512 there and back', '1 there and back'];
  return [
    'The same work in larger address spaces: an area of one page every GiB (pages of 16 bytes)',
    table([heading, ...rows]),
  ].join('\n');
}

function metadataText(section: ReturnType<typeof metadata>): string {
  const rows = Object.entries(section).map(([name, bytes]) => [name, `${bytes} bytes`]);
  return ['What is kept for a page', table(rows)].join('\n');
}

function startText(section: ReturnType<typeof startTime>): string {
  const rows = Object.entries(section).map(([name, sample]) => [
    name,
    ms(sample.median),
    spread(sample),
  ]);
  return ['From start to end of a command', table([['', 'median', 'middle half'], ...rows])].join(
    '\n',
  );
}

const seconds = (ns: number) => `${(ns / 1e9).toFixed(3)} s`;

function checkingText(section: Awaited<ReturnType<typeof checkingSpeed>>): string {
  const { scenarios, searches, schedules, steps, rounds, processors } = section;
  const one = section['one worker'];
  const two = section['two workers'];
  const { median, low, high } = section['two workers against one'];
  const row = (name: string, { median, low, high }: Sample): string[] => [
    name,
    seconds(median),
    `${Math.round((steps / median) * 1e9)}`,
    `${seconds(low)} .. ${seconds(high)}`,
  ];
  return [
    `Checking: ${scenarios} scenarios, both walks, small geometry, everything watched:`,
    `${searches} searches of at most ${schedules} schedules, ${steps} steps; ${rounds} rounds, ${processors} processors`,
    table([
      ['', 'median', 'steps/s', 'middle half'],
      row('one worker', one),
      row('  its processor time', section['one worker, processor time']),
      row('two workers', two),
      row('  their processor time', section['two workers, processor time']),
    ]),
    `  two workers against one, in the same round: ${median.toFixed(2)} times as fast (middle half ${low.toFixed(2)} .. ${high.toFixed(2)})`,
  ].join('\n');
}

function spinText({ missing, rounds, rows }: Awaited<ReturnType<typeof againstSpin>>): string {
  const line = (name: string, { tried, steps, time, complete, found }: Searched): string[] => [
    name,
    String(tried),
    String(steps),
    seconds(time.median),
    complete ? 'yes' : 'no',
    found ?? 'nothing',
  ];
  const parts = rows.map(({ protocol, variant, model, lines, softleaf, spin }) => {
    const head = ['', 'states/schedules', 'transitions/steps', 'search', 'all', 'found'];
    const made = spin?.build === undefined ? '' : `; spin -a and gcc took ${seconds(spin.build)}`;
    return [
      `  ${protocol}: ${variant} (${model}, ${lines} lines${made})`,
      left([
        head,
        ...(spin ? [line('Spin: states', spin)] : []),
        line('Softleaf: schedules', softleaf),
      ]),
    ].join('\n');
  });
  const notes =
    missing.length > 0
      ? [
          `  ${missing.join(' and ')} not found: apt-get install spin gcc, to have both side by side`,
        ]
      : [
          '  Spin searches the states of a model that was written by hand for this, with what it leaves out',
          '  (bench/spin/); Softleaf searches schedules of the modelled kernel functions themselves, and what',
          '  it watches is watched everywhere. A search ends with the first thing found.',
        ];
  return [`The same protocols in Spin and in Softleaf (${rounds} rounds)`, ...parts, ...notes].join(
    '\n',
  );
}

/** Everything that was measured, for reading. */
export function reportText(results: Results): string {
  const { present, huge, missing, snapshots, sizes, sparse, metadata, start, checking, spin } =
    results;
  const parts = [
    present && presentText(present),
    huge && hugeText(huge),
    ...(missing ?? []).map(missingText),
    snapshots && snapshotsText(snapshots),
    sizes && sizesText(sizes),
    sparse && sparseText(sparse),
    metadata && metadataText(metadata),
    start && startText(start),
    checking && checkingText(checking),
    spin && spinText(spin),
  ];
  return parts.filter((part) => part !== undefined).join('\n\n');
}
