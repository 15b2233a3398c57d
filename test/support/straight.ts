/** The straight-line build, made in a folder of its own and run as the command line runs it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Program, type RunOutcome, runProgram, type Walk } from '../../src/program/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What the two builds must agree on. */
type Seen = Pick<RunOutcome, 'results' | 'counters'> & { findings: string[] };

const seenBy = ({ results, counters, findings }: RunOutcome): Seen => ({
  results,
  counters,
  findings: findings.map(({ title, op }) => `operation ${op}: ${title}`),
});

/** Reads programs, and prints a line for each: what was seen. */
const RUNNER = `
  import { readFileSync } from 'node:fs';
  import { runProgram } from './straight/program/index.js';
  const { programs, walk } = JSON.parse(readFileSync(0, 'utf8'));
  for (const program of programs) {
    const { results, counters, findings } = runProgram(program, { walk });
    const titles = findings.map(({ title, op }) => \`operation \${op}: \${title}\`);
    console.log(JSON.stringify({ results, counters, findings: titles }));
  }
`;

export class StraightBuild {
  private readonly dir = mkdtempSync(join(tmpdir(), 'softleaf-straight-'));

  constructor() {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    this.node([tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', this.dir]);
    this.node([join(root, 'scripts/straight.mjs'), this.dir, join(this.dir, 'straight')]);
    writeFileSync(join(this.dir, 'package.json'), '{"type": "module"}');
    writeFileSync(join(this.dir, 'run.js'), RUNNER);
  }

  private node(args: string[], input = ''): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      input,
      maxBuffer: 1 << 30,
    });
    if (status !== 0) throw new Error(`${args[0]}: ${stdout}${stderr}`);
    return stdout;
  }

  run(programs: readonly Program[], walk: Walk): Seen[] {
    const printed = this.node([join(this.dir, 'run.js')], JSON.stringify({ programs, walk }));
    return printed
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  /** What a module prints that imports the rooms from `./straight/`. */
  print(source: string): string {
    const path = join(this.dir, 'print.js');
    writeFileSync(path, source);
    return this.node([path]);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Programs in which the two builds differ, and how. */
export function differences(
  build: StraightBuild,
  programs: readonly Program[],
  walk: Walk,
): string[] {
  const straight = build.run(programs, walk);
  return programs.flatMap((program, i) => {
    const [x, y] = [seenBy(runProgram(program, { walk })), straight[i]].map((o) =>
      JSON.stringify(o),
    );
    return x === y ? [] : [`${program.name}: ${x} against ${y}`];
  });
}
