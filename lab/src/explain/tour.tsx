/**
 * The introduction: five stops in the first program, which tell what migrate-on-fault does there. It lies
 * beside what it tells of, and the page can be used meanwhile.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Recording } from '../../../src/recording/index.ts';
import { GALLERY } from '../gallery.ts';
import { go } from '../store/going.ts';
import { openGallery } from '../store/opening.ts';
import { chooseWalk } from '../store/showing.ts';
import { name, recording, setIntroducing, step, walk } from '../store/state.ts';
import { introduced } from './visited.ts';

interface Stop {
  readonly title: string;
  readonly text: ComponentChildren;
  /** What is looked at, as a selector. */
  readonly at: string;
  /** The step to stand at; -1: there is none. */
  where(shown: Recording): number;
}

const OPERATION = 'fault_migrate_to_dev';

/** The steps of the operation that it is about: the first, and the first behind. */
function operation(shown: Recording): [from: number, to: number] {
  const begins = shown.events.filter(({ kind }) => kind === 'operation').map(({ at }) => at);
  const index = shown.operations[0].findIndex(({ op }) => op === OPERATION);
  return [begins[index] ?? 0, begins[index + 1] ?? shown.length];
}

/** The moment after the first step of the operation that fits. */
function after(shown: Recording, fits: (at: number) => boolean): number {
  const [from, to] = operation(shown);
  for (let at = from; at < to; at++) if (fits(at)) return at + 1;
  return -1;
}

const happens = (shown: Recording, wanted: string): ((at: number) => boolean) => {
  const when = new Set(shown.events.filter(({ kind }) => kind === wanted).map(({ at }) => at));
  return (at) => when.has(at);
};

/** How many migration entries there are. */
const migrating = (shown: Recording, at: number): number =>
  shown.moment(at).state.entries.filter(({ kind }) => kind === 'migration').length;

const STOPS: readonly Stop[] = [
  {
    title: 'What you see',
    at: '[aria-label="Address spaces"]',
    where: (shown) => operation(shown)[0],
    text: (
      <>
        A process has memory of 32 pages, and{' '}
        <strong>each square on the left is one page’s entry</strong> in its page table. The middle
        shows the pages themselves, in RAM and in the memory of two devices, such as GPUs. Above is
        time: one mark a step. Now device 0 is about to read all 32 pages, and wants them in its own
        memory. Some are there (W, R), some on devices (D), and some have never been touched (·).
      </>
    ),
  },
  {
    title: 'A page that is there: a migration entry',
    at: '[aria-label="Address spaces"]',
    where: (shown) => {
      const [from] = operation(shown);
      const before = migrating(shown, from);
      return after(shown, (at) => migrating(shown, at + 1) > before);
    },
    text: (
      <>
        The driver asks the kernel to walk the page table (<code>hmm_range_fault()</code>). Where
        the walk finds a page, it locks it and writes <strong>M, a migration entry</strong>, in its
        place. It says where the page is, and that it is moving. Whoever touches the page now waits:
        nobody can change it while it is copied.
      </>
    ),
  },
  {
    title: 'A page that is missing: a fault, in the same walk',
    at: '[aria-label="What changed"]',
    where: (shown) => {
      const [from] = operation(shown);
      const first = shown.events.find(({ at, kind }) => at >= from && kind === 'page fault')?.at;
      if (first === undefined) return -1;
      // not where it begins, but where the entry is there
      const made = (at: number) => shown.changes(at).some(({ key }) => key.startsWith('entry '));
      return after(shown, (at) => at >= first && made(at));
    },
    text: (
      <>
        Here the entry is empty. A page is only made when somebody touches it, so the walk takes a{' '}
        <strong>page fault</strong> (<code>handle_mm_fault()</code>) in the device’s name, and goes
        on with what is there now. That is <strong>migrate on fault</strong>: fault and prepare in
        one walk. Linux 7.3.4 needs two: one to fault, and one more to collect (
        <code>migrate_vma_setup()</code>).
      </>
    ),
  },
  {
    title: 'The copy',
    at: '[aria-label="Physical memory"]',
    where: (shown) => {
      const copies = happens(shown, 'copy');
      return after(
        shown,
        (at) => copies(at) && shown.step(at).stack.includes('migrateAllocAndCopy'),
      );
    },
    text: (
      <>
        Every page that can move is M now. The driver allocates <strong>pages of the device</strong>{' '}
        (D in the middle) and copies the bytes. Two pages stay where they are: they are pinned,
        which is one reference more than the kernel can account for, so somebody may be writing to
        them.
      </>
    ),
  },
  {
    title: 'The end: the device has them',
    at: '[aria-label="Address spaces"]',
    where: (shown) => operation(shown)[1],
    text: (
      <>
        Each M has become <strong>D, a device-private entry</strong>: it says on which device the
        page is. A CPU cannot reach it there; when it touches one, it faults and the page comes back
        (the next operations do so: press <kbd>o</kbd>). Now choose the walk <code>collect</code>{' '}
        above and see the second walk. <kbd>→</kbd> and <kbd>←</kbd> step, <kbd>?</kbd> lists the
        keys.
      </>
    ),
  },
];

export function Tour() {
  const [at, setAt] = useState(0);
  const card = useRef<HTMLDivElement>(null);
  const { title, text, at: looked } = STOPS[at];
  const shown = recording.value;
  const [first] = GALLERY;
  const there = name.value === first.name && walk.value === 'unified' && shown !== null;
  const stand = async (): Promise<void> => {
    if (walk.value !== 'unified') await chooseWalk('unified');
    if (name.value !== first.name) await openGallery(first.name);
  };
  useEffect(() => {
    void stand();
    const before = document.activeElement as HTMLElement | null;
    card.current?.querySelector<HTMLElement>('.main')?.focus({ preventScroll: true });
    return () => before?.focus?.();
  }, []);
  useEffect(() => {
    if (!there || !shown) return;
    const to = STOPS[at].where(shown);
    if (to >= 0) go(to);
  }, [at, there, shown]);
  useEffect(() => {
    const panel = document.querySelector(`main ${looked}`);
    panel?.classList.add('looked-at');
    return () => panel?.classList.remove('looked-at');
  }, [looked]);
  const leave = (): void => {
    introduced();
    setIntroducing(false);
  };
  const left = looked.includes('changed') || looked.includes('memory');
  return (
    <div
      ref={card}
      class={`tour${left ? ' left' : ''}`}
      role="dialog"
      aria-label="Introduction"
      aria-describedby="tour-text"
    >
      <h2>
        {title}{' '}
        <em>
          {at + 1} of {STOPS.length}, step {step.value}
        </em>
      </h2>
      <p id="tour-text" aria-live="polite">
        {text}
      </p>
      <div class="buttons">
        {at + 1 < STOPS.length ? (
          <button key="on" type="button" class="main" onClick={() => setAt(at + 1)}>
            Next
          </button>
        ) : (
          <button key="end" type="button" class="main" onClick={leave}>
            Done
          </button>
        )}
        <button type="button" disabled={at === 0} onClick={() => setAt(at - 1)}>
          Back
        </button>
        <span class="grow" />
        <button type="button" onClick={leave} title="It comes back with i">
          Close for good
        </button>
      </div>
    </div>
  );
}
