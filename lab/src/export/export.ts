/** Files of what is shown: a trace, pictures, the program. Made here, sent nowhere. */
import { stepWords, traceOf } from '../../../src/recording/index.ts';
import { LinkError } from '../../../src/recording/internal.ts';
import { readText } from '../reading.ts';
import { here } from '../store/address.ts';
import { changedKeys, lastStep, moment } from '../store/showing.ts';
import { name, recording, step, text } from '../store/state.ts';
import { sight } from '../timeline/sight.ts';
import { scene } from '../timeline/timeline.tsx';
import type { Palette } from '../timeline/timeline-draw.ts';
import { pictureOf } from './picture.ts';

export interface Export {
  readonly label: string;
  /** What it is good for. */
  readonly meaning: string;
  /** End of the file's name. */
  readonly ending: string;
  make(): Promise<Blob> | Blob;
  /** It needs the program, which a trace has not. */
  readonly ofProgram?: true;
}

/** Colours as numbers: a picture that stands alone has no stylesheet. */
function colors(): Palette {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const known = new Map<string, string>();
  queueMicrotask(() => probe.remove());
  return (which) => {
    let color = known.get(which);
    if (color === undefined) {
      if (which.startsWith('--')) {
        probe.style.color = `var(${which})`;
        color = style.color;
      } else {
        probe.className = which;
        color = style.backgroundColor;
      }
      known.set(which, color);
    }
    return color;
  };
}

/** What is shown as SVG. */
function svg(): string {
  const shown = recording.value;
  const now = moment.value;
  if (!shown || !now) throw new Error('nothing is shown');
  const last = lastStep.value;
  const did = last
    ? `${shown.tasks[last.task]} ${stepWords(last, shown.moment(step.value - 1).state, shown.lockNames)}${last.stack[0] ? ` in ${last.stack[0]}()` : ''}`
    : 'Nothing has happened yet.';
  const picture = {
    title: `${shown.program.name}, walk ${shown.walk}: step ${step.value} of ${shown.length}`,
    lines: [did],
    scene: scene.value,
    sight: sight(),
    moment: now,
    changed: changedKeys.value,
    width: 1280,
  };
  return pictureOf(picture, colors());
}

/** Draws SVG, at twice its size. */
async function png(source: string): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth * 2;
  canvas.height = image.naturalHeight * 2;
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => {
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('no picture'))), 'image/png');
  });
}

/** A line with the link; none where the program is too long for one. */
async function whereToLook(): Promise<string[]> {
  try {
    return [`To look at it: ${location.href.replace(/#.*/, '')}${await here()}`];
  } catch (error) {
    if (error instanceof LinkError) return [];
    throw error;
  }
}

/** The program with its schedule told in the comment: it stays a program that everything reads. */
async function withSchedule(): Promise<string> {
  const shown = recording.value;
  if (!shown) throw new Error('nothing is shown');
  const program = readText(text.value) as { comment?: string | string[] };
  const { walk, schedule } = shown;
  const file = `${fileName()}.schedule.json`;
  const comment = [
    ...[program.comment ?? []].flat(),
    `Schedule, walk ${walk}: ${schedule}`,
    ...('tasks' in program
      ? [`To replay it: npx softleaf check ${file} --walk ${walk} --replay ${schedule}`]
      : []),
    ...(await whereToLook()),
  ];
  return `${JSON.stringify({ ...program, comment }, null, 2)}\n`;
}

const json = (source: string): Blob => new Blob([source], { type: 'application/json' });

export const EXPORTS: readonly Export[] = [
  {
    label: 'Trace',
    meaning: 'for ui.perfetto.dev: a microsecond is a step',
    ending: '.trace.json',
    make: () => json(JSON.stringify(recording.value ? traceOf(recording.value) : {})),
  },
  {
    label: 'Picture, SVG',
    meaning: 'the timeline as it is seen, address spaces and memory at this step',
    ending: '.svg',
    make: () => new Blob([svg()], { type: 'image/svg+xml' }),
  },
  {
    label: 'Picture, PNG',
    meaning: 'the same in pixels',
    ending: '.png',
    make: () => png(svg()),
  },
  {
    label: 'Program',
    ofProgram: true,
    meaning: 'for softleaf run, softleaf check, or this page',
    ending: '.json',
    make: () => json(text.value),
  },
  {
    label: 'Program and schedule',
    ofProgram: true,
    meaning: 'the same; its comment has the schedule, the line that replays it, and this link',
    ending: '.schedule.json',
    make: async () => json(await withSchedule()),
  },
];

/** Begins the name of a file. */
function fileName(): string {
  const said = name.value || recording.value?.program.name || 'program';
  return said.replace(/[^\w-]+/g, '-').replace(/^-+|-+$/g, '') || 'program';
}

export async function save({ ending, make }: Export): Promise<void> {
  const url = URL.createObjectURL(await make());
  const link = document.createElement('a');
  link.href = url;
  link.download = `${fileName()}${ending}`;
  link.click();
  // the browser has it by then
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
