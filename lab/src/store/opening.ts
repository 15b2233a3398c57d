/** Opening a program of the gallery, or what a link says. */
import { computed } from '@preact/signals';
import { parseAnyProgram, ScheduleError } from '../../../src/checker/index.ts';
import type { Recordable } from '../../../src/recording/index.ts';
import { decodeLink, LinkError, TRACE_HASH } from '../../../src/recording/internal.ts';
import { type Entry, GALLERY } from '../gallery.ts';
import { readText } from '../reading.ts';
import { type How, run, show } from './showing.ts';
import { clear, name, setCompared, setTrouble } from './state.ts';
import { openServed } from './trace.ts';

/** The gallery's entry of what is shown. */
export const entry = computed(() => GALLERY.find((one) => one.name === name.value) ?? null);

/** What a gallery's entry stands for: a scenario, or a program. */
async function subjectOf(entry: Entry): Promise<{ program: Recordable; source: string }> {
  const source = await entry.load();
  const scenario = await entry.scenario?.();
  return { program: scenario ?? parseAnyProgram(readText(source)), source };
}

/**
 * Shows a program of the gallery. One that is there for a mistake is checked as well, unless a schedule
 * is given that shows it.
 */
export async function openGallery(which: string, how: Omit<How, 'name'> = {}): Promise<void> {
  const entry = GALLERY.find((one) => one.name === which);
  if (!entry) throw new LinkError(`There is no program “${which}” in this gallery.`);
  const { program, source } = await subjectOf(entry);
  const walk = how.walk ?? entry.walk;
  await show(program, source, { ...how, name: which, ...(walk ? { walk } : {}) });
  if (entry.plan && how.schedule === undefined && name.value === which) {
    const { checkMistake } = await import('../check/checking.ts');
    await checkMistake(entry);
  }
}

/** The same for somebody who chose it: what goes wrong is shown. */
export async function openProgram(which: string): Promise<void> {
  try {
    await openGallery(which);
  } catch (error) {
    setTrouble({
      title: 'This program cannot be shown',
      text: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Shows what a link says; what is wrong with it is shown instead. */
export async function follow(hash: string): Promise<void> {
  try {
    if (hash === TRACE_HASH) {
      await openServed();
      return;
    }
    const link = await decodeLink(hash);
    if (!link) {
      setCompared(null);
      await openGallery(GALLERY[0].name);
      return;
    }
    const { program, ...how } = link;
    if ('name' in program) await openGallery(program.name, how);
    else {
      const mistake = await run(program.text, how);
      if (mistake) throw new LinkError(mistake.message);
    }
    setCompared(link.compared);
  } catch (error) {
    const known = error instanceof LinkError || error instanceof ScheduleError;
    setTrouble({
      title: 'This link cannot be shown',
      text: known ? (error as Error).message : String(error),
    });
    clear();
  }
}
