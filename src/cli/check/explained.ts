/** A schedule of a program or module as a mail. */
import { mailText, replaySchedule, type Subject, scenarioOf } from '../../checker/index.ts';
import { shellWord } from '../shell.ts';
import { UsageError } from '../terminal.ts';
import { scheduled } from './replay.ts';
import type { ReplayOptions } from './work.ts';

/**
 * @param given the subject that it is of; else it is one of the file's
 * @param again the schedule that replays it with the file, where it is another
 * @throws UsageError where the schedule is none of it, or breaks nothing
 */
export async function explained(
  file: string,
  text: string,
  options: ReplayOptions,
  given?: Subject,
  again: string = text,
): Promise<string> {
  const { subject, setup, runs } = await scheduled(file, text, options, given && [given]);
  const scenario = scenarioOf(subject);
  if (replaySchedule(scenario, setup, runs).finding === null) {
    throw new UsageError(`${file}: nothing breaks in this schedule: there is nothing to explain`);
  }
  const { walk, hardware } = setup;
  const replay = [
    `softleaf check ${shellWord(file)} --walk ${walk}`,
    ...(hardware ? ['--hardware'] : []),
    ...(options.unmended ? [`--unmended ${options.unmended.join()}`] : []),
    `--replay ${again.trim()}`,
  ].join(' ');
  const program = 'program' in subject ? { program: subject.program } : {};
  return mailText(scenario, setup, runs, { walk, replay, ...program });
}
