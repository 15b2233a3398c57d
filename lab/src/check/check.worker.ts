/** A thread of a check: does one piece of work after the other. */
import {
  type Found,
  type OutcomeSeen,
  type PartRequest,
  type PartResult,
  type Plan,
  parseAnyProgram,
  type ReportedFinding,
  runPart,
  runReport,
  runShorten,
  ScenarioError,
  type Subject,
  type ToldOutcome,
  type Walk,
} from '../../../src/checker/index.ts';
import { recordable } from '../../../src/recording/index.ts';
import { readText } from '../reading.ts';
import { MODULES } from '../scenarios.ts';

/** What is checked: a program's text, or a scenario by its name. */
export type Source = { readonly text: string } | { readonly module: string };

/** Search a part, shrink and report what was found, or make the schedules of outcomes short. */
export type Work = { readonly source: Source; readonly walk: Walk; readonly plan: Plan } & (
  | { readonly part: PartRequest }
  | { readonly found: Found }
  | { readonly table: readonly OutcomeSeen[] }
);

export type Answer =
  | { readonly answer: PartResult | ReportedFinding | ToldOutcome[] }
  | { readonly error: string; readonly name: string };

/** How long one may try to make a finding short: somebody waits for it. */
const EFFORT = { schedules: 300, time: 4000 };

/** What the last work was about: the next is often about the same. */
let last: { of: string; subject: Subject } | null = null;

async function subjectOf(source: Source): Promise<Subject> {
  const of = JSON.stringify(source);
  if (last?.of === of) return last.subject;
  let subject: Subject;
  if ('module' in source) {
    const scenario = await MODULES.get(source.module)?.();
    if (!scenario) throw new ScenarioError(`there is no scenario ${source.module}`);
    subject = { scenario };
    // as it is recorded, so that a schedule of the one is one of the other
  } else subject = { scenario: recordable(parseAnyProgram(readText(source.text)), '!') };
  last = { of, subject };
  return subject;
}

async function answerTo(work: Work): Promise<Answer> {
  try {
    const subject = await subjectOf(work.source);
    const { walk, plan } = work;
    const answer =
      'part' in work
        ? runPart(subject, walk, plan, work.part)
        : 'found' in work
          ? runReport(subject, walk, plan, work.found, EFFORT)
          : runShorten(subject, walk, plan, work.table);
    return { answer };
  } catch (error) {
    const { message, name } = error instanceof Error ? error : new Error(String(error));
    return { error: message, name };
  }
}

self.addEventListener('message', async ({ data }: MessageEvent<Work>) => {
  self.postMessage(await answerTo(data));
});
