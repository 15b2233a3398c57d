/**
 * What is done both in Node and in a page: the same file, with the same modules behind it. What comes
 * back is JSON.
 */
import {
  check,
  decodeSchedule,
  digestOf,
  Exhaustive,
  fingerprint,
  parseConcurrentProgram,
  programScenario,
  replaySchedule,
  report,
  reportText,
  runJob,
  titleOf,
} from 'softleaf/checker';

/** A scenario: of a program, or the default export of a module. */
async function scenarioOf({ program, module }) {
  if (program) return programScenario(parseConcurrentProgram(program));
  return (await import(module)).default;
}

/** Replays a schedule. */
export async function replay({ walk, schedule, ...subject }) {
  const scenario = await scenarioOf(subject);
  const digest = fingerprint(scenario, { walk });
  const runs = decodeSchedule(schedule, digest, Object.keys(scenario.tasks).length);
  const { finding, steps, preemptions, outcome } = replaySchedule(scenario, { walk }, runs);
  return {
    digest,
    title: finding && titleOf(finding),
    finding,
    steps,
    preemptions,
    outcome: digestOf(outcome),
    text: finding && reportText(report(scenario, { walk }, runs)),
  };
}

/** Tries everything, and says how each schedule ended. */
export async function exhaust({ walk, ...subject }) {
  const scenario = await scenarioOf(subject);
  const options = { walk, strategy: (tasks) => new Exhaustive(tasks), outcomes: true, findings: 9 };
  const { found, schedules, steps, redundant, complete, outcomes } = check(scenario, options);
  const titles = found.map(({ title, choices }) => [title, choices]);
  return { titles, schedules, steps, redundant, complete, outcomes: [...outcomes].sort() };
}

/** A job as the command line does one: search, shrink, report. */
export function job({ program, walk, plan }) {
  return runJob({ program: parseConcurrentProgram(program) }, walk, plan);
}

/** What a schedule of a program carries. */
export async function digest({ walk, ...subject }) {
  return fingerprint(await scenarioOf(subject), { walk });
}
