/** A schedule as a file that the lab opens. */
import type { ReportedFinding, Subject } from '../../checker/index.ts';
import type { Unmended } from '../../mm/light.ts';
import { record } from '../../recording/index.ts';
import { TraceError, traceText } from '../../recording/internal.ts';
import { UsageError } from '../terminal.ts';
import { explained } from './explained.ts';

/** What it says of itself, where one schedule alone shows it. */
async function mailOf(...of: Parameters<typeof explained>): Promise<string> {
  try {
    return await explained(...of);
  } catch (error) {
    if (error instanceof UsageError) return '';
    throw error;
  }
}

/** @throws UsageError where it is too long for a trace */
export async function tracedFinding(
  file: string,
  subject: Subject,
  { walk, hardware = false, schedule }: Pick<ReportedFinding, 'walk' | 'hardware' | 'schedule'>,
  unmended?: readonly Unmended[],
): Promise<string> {
  const recorded = 'program' in subject ? subject.program : subject.scenario;
  const how = { walk, ...(hardware ? { hardware } : {}), ...(unmended ? { unmended } : {}) };
  const mail = await mailOf(file, schedule, how, subject);
  try {
    return traceText(record(recorded, { walk, hardware, schedule }), mail);
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(`--trace: ${error.message}`);
    throw error;
  }
}
