/** Every step of a schedule that is replayed, and what it changed. */
import { record } from '../../recording/index.ts';
import { painter } from '../terminal.ts';
import { writeTrace } from '../trace-text.ts';
import { scheduled } from './replay.ts';
import type { ReplayOptions } from './work.ts';

/** @returns what `softleaf run --trace` prints of a program */
export async function everyStep(
  file: string,
  text: string,
  options: ReplayOptions,
  colours: boolean,
): Promise<string> {
  const { subject, setup } = await scheduled(file, text, options);
  const { walk, hardware = false } = setup;
  const recorded = 'program' in subject ? subject.program : subject.scenario;
  let all = '';
  const write = (part: string): void => {
    all += part;
  };
  const recording = record(recorded, { walk, hardware, schedule: text });
  writeTrace(recording, painter({ isTTY: colours, write }, {}), write);
  return all;
}
