/** What a kernel says on its console when something is wrong: a WARN, an oops, KASAN, lockdep, a stall. */

/** One of its reports. */
export interface KernelReport {
  /** Its first line without addresses, CPUs and processes: alike where the same thing is reported again. */
  title: string;
  /** Functions, innermost first; at most eight. */
  frames: string[];
}

const MAX_FRAMES = 8;

/** Words with which reports begin, somewhere in a line. */
const BEGINS = new RegExp(
  [
    'WARNING: ',
    'BUG: ',
    'kernel BUG at ',
    'KCSAN: ',
    'UBSAN: ',
    'Oops: ',
    'general protection fault',
    'stack segment: ',
    'invalid opcode: ',
    'INFO: task .* blocked for more than',
    'INFO: trying to register non-static key',
    'rcu: INFO: .* stall',
    'Kernel panic - not syncing: ',
    'refcount_t: ',
    'list_(?:add|del) corruption',
    'ODEBUG: ',
  ].join('|'),
);
/** Lines that follow the first of a report and look as if they began another. */
const CONTINUES =
  /Oops: |Kernel panic - |general protection fault|invalid opcode: |stack segment: /;

/** A line without what the console puts before it: `<4>[    1.234567][  T100] `. */
const bare = (line: string): string =>
  line.replace(/^(?:<\d+>)?\s*\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s?/, '').replace(/\r$/, '');

/** What is alike in each report of the same thing. */
function titleOf(line: string): string {
  return line
    .replace(/^.*?(?=watchdog: BUG|rcu: INFO)/, '')
    .replace(/CPU: \d+ PID: \d+ at (\S+) /, '$1 at ')
    .replace(/, CPU#\d+: .*$/, '')
    .replace(/ - CPU#\d+ stuck for .*$/, '')
    .replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, '')
    .replace(/ at addr(?:ess)? [0-9a-f]+/g, '')
    .replace(/(?:,| for) address: (?:0x)?[0-9a-f]+/g, '')
    .replace(/(?:0x)?\b[0-9a-f]{12,16}\b/g, 'ADDRESS')
    .replace(/ by task .*$/, '')
    .replace(/ \[\w+\]$/, '')
    .replace(/task \S+:\d+ /, 'task ')
    .replace(/ \[#\d+\].*$/, '')
    .trim();
}

const FRAME = /^\s*(?:RIP: [0-9a-f]{4}:)?([\w.]+)\+0x[0-9a-f]+\/0x[0-9a-f]+/;

/**
 * The reports in what a kernel said.
 * @param lines of its log or its console
 */
export function kernelReports(lines: readonly string[]): KernelReport[] {
  const reports: KernelReport[] = [];
  let current: KernelReport | null = null;
  // what comes behind the trace of the kernel is about the program
  let traced = false;
  for (const raw of lines) {
    const line = bare(raw);
    if (BEGINS.test(line)) {
      if (current && CONTINUES.test(line)) continue;
      current = { title: titleOf(line), frames: [] };
      traced = false;
      reports.push(current);
      continue;
    }
    if (current === null) continue;
    if (/^\s*<\/TASK>|entry_SYSCALL_64|ret_from_fork/.test(line)) traced = true;
    if (/---\[ end trace/.test(line)) traced = true;
    const frame = traced ? null : FRAME.exec(line)?.[1];
    if (!frame || current.frames.length >= MAX_FRAMES) continue;
    if (current.frames.at(-1) !== frame) current.frames.push(frame);
  }
  return reports;
}

/** A report that 7.3.4 gives for recorded programs, too, and why. */
export interface KnownReport {
  title: RegExp;
  why: string;
}

/** What comes of what docs/programs.md says of 7.3.4 and of its test driver. */
export const KNOWN_REPORTS: readonly KnownReport[] = [
  {
    title: /^WARNING: \S*test_hmm\.c:\d+ at dmirror_do_fault$/,
    why: "hmm_range_fault() reports a device's own page as a success where it may not be written; the driver warns and returns EFAULT",
  },
  {
    title: /^WARNING: mm\/memremap\.c:\d+ at (?:memremap_pages|pagemap_range)$/,
    why: 'the driver maps the memory of a coherent device once more, as huge pages (dmirror_allocate_chunk())',
  },
];

/** Why a report is no news; undefined where it is. */
export function knownReport({ title }: KernelReport): string | undefined {
  return KNOWN_REPORTS.find((known) => known.title.test(title))?.why;
}
