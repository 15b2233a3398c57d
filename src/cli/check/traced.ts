/** A schedule as a file that the lab opens. */
import type { ReportedFinding, Subject } from '../../checker/index.ts';
import { record } from '../../recording/index.ts';
import { TraceError, traceText } from '../../recording/internal.ts';
import { UsageError } from '../terminal.ts';

/** @throws UsageError where it is too long for a trace */
export function tracedFinding(
  subject: Subject,
  { walk, hardware = false, schedule }: Pick<ReportedFinding, 'walk' | 'hardware' | 'schedule'>,
): string {
  const recorded = 'program' in subject ? subject.program : subject.scenario;
  try {
    return traceText(record(recorded, { walk, hardware, schedule }));
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(`--trace: ${error.message}`);
    throw error;
  }
}
