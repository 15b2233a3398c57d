/** Where the lab shows what a check has found. */
import { basename, dirname, resolve } from 'node:path';
import { type ReportedFinding, ScheduleError, type Subject } from '../checker/index.ts';
import { record } from '../recording/index.ts';
import { encodeLink, LinkError } from '../recording/internal.ts';
import { packageFile } from './files.ts';
import { UsageError } from './terminal.ts';

/** Where `softleaf lab` listens unless one says otherwise. */
export const LAB_PORT = 7340;
export const LAB_HOST = 'localhost';

/**
 * What links begin with.
 * @param given what `--link` says: true where it says nothing
 * @throws UsageError where that is no address
 */
export function labAddress(given: string | true): string {
  if (given === true) return `http://${LAB_HOST}:${LAB_PORT}/`;
  const address = URL.canParse(given) ? new URL(given) : null;
  if (!address || !/^https?:$/.test(address.protocol)) {
    throw new UsageError(`--link ${given}: expected the address of a lab, as https://host/path/`);
  }
  address.hash = '';
  return address.href;
}

/** The gallery's name for a file; null: it is not one of those that ship. */
function galleryName(file: string): string | null {
  if (dirname(resolve(file)) !== resolve(packageFile('scenarios'))) return null;
  return basename(file, '.json');
}

/**
 * The link, from `#` on, to the last step of a finding.
 * @returns null where the lab cannot show it: a scenario that is not a program, a program too long for a link
 */
export async function linkToFinding(
  finding: ReportedFinding,
  file: string,
  subject: Subject,
): Promise<string | null> {
  if (!('program' in subject)) return null;
  const { walk, schedule, hardware = false } = finding;
  const { program } = subject;
  try {
    // the gallery has it with every mend
    const name = program.machine?.unmended ? null : galleryName(file);
    return await encodeLink({
      program: name === null ? { text: JSON.stringify(program, null, 2) } : { name },
      walk,
      hardware,
      schedule,
      step: record(program, { walk, schedule, hardware }).length,
      selected: '',
      compared: null,
    });
  } catch (error) {
    // of a model that was changed since, or too long
    if (error instanceof ScheduleError || error instanceof LinkError) return null;
    throw error;
  }
}
