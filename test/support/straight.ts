/** The straight-line build, as the command line runs it. */

import type { Program, RunOutcome, Walk } from '../../src/program/index.ts';
import * as generators from '../../src/program/index.ts';

/** A room of it. */
export const straightRoom = <Room>(name: string): Promise<Room> =>
  import(/* @vite-ignore */ new URL(`../../dist/straight/${name}/index.js`, import.meta.url).href);

/** Where coverage is measured, that of the source is wanted. */
export const straight: typeof generators = process.env.SOFTLEAF_COVERAGE
  ? generators
  : await straightRoom('program');

/** What the two builds must agree on. */
const seen = ({ results, counters, findings }: RunOutcome): string =>
  JSON.stringify({
    results,
    counters,
    findings: findings.map(({ title, op }) => `operation ${op}: ${title}`),
  });

/** Programs in which the two builds differ, and how. */
export function differences(programs: readonly Program[], walk: Walk): string[] {
  return programs.flatMap((program) => {
    const [x, y] = [generators, straight].map((build) => seen(build.runProgram(program, { walk })));
    return x === y ? [] : [`${program.name}: ${x} against ${y}`];
  });
}
