/** How events look on the timeline: a shape and a colour by kind, and what each is. */
import type { EventKind } from '../../../src/recording/index.ts';
import type { Shape } from './surface.ts';

export interface Mark {
  readonly kind: EventKind;
  /** Its name in the legend, and for more than one of it. */
  readonly label: string;
  /** What it means, with the kernel's term. */
  readonly meaning: string;
  /** Variable of the stylesheet. */
  readonly color: string;
  readonly shape: Shape;
  /** Which of the rows of a lane it lies on. */
  readonly row: 0 | 1;
  readonly size: number;
}

const ring = (radius: number): [number, number][] =>
  Array.from({ length: 13 }, (_, i) => {
    const angle = (i / 12) * 2 * Math.PI;
    return [Math.cos(angle) * radius, Math.sin(angle) * radius];
  });
const box = (x: number, y: number, w: number, h: number): [number, number][] => [
  [x, y],
  [x + w, y],
  [x + w, y + h],
  [x, y + h],
];

/** By row, what matters most first: where many fall on one place, it is what one sees. */
export const MARKS: readonly Mark[] = [
  {
    kind: 'finding',
    label: 'findings',
    meaning: 'Something is wrong here: an invariant is broken (a WARN, a lost page, a deadlock …)',
    color: '--mark-bad',
    shape: { polygons: [ring(1), box(-0.18, -0.7, 0.36, 0.85), box(-0.18, 0.35, 0.36, 0.35)] },
    row: 0,
    size: 6,
  },
  {
    kind: 'page fault',
    label: 'page faults',
    meaning: 'A page was missing or not allowed, and is put in place: handle_mm_fault()',
    color: '--mark-fault',
    shape: {
      polygons: [
        [
          [-1, -0.9],
          [1, -0.9],
          [0, 0.95],
        ],
      ],
    },
    row: 0,
    size: 4.5,
  },
  {
    kind: 'walk',
    label: 'walks',
    meaning:
      'A walk over a range of the page table begins: hmm_range_fault() or migrate_vma_collect()',
    color: '--mark-walk',
    shape: {
      polygons: [
        [
          [-0.8, -1],
          [1, 0],
          [-0.8, 1],
        ],
      ],
    },
    row: 0,
    size: 4.5,
  },
  {
    kind: 'page migrated',
    label: 'migrated',
    meaning: 'A page has moved for good: migrate_vma_finalize()',
    color: '--mark-moved',
    shape: {
      polygons: [
        [
          [0, -1],
          [0.95, 0.1],
          [0.4, 0.1],
          [0.4, 1],
          [-0.4, 1],
          [-0.4, 0.1],
          [-0.95, 0.1],
        ],
      ],
    },
    row: 0,
    size: 4.5,
  },
  {
    kind: 'migration entry',
    label: 'migration entries',
    meaning: 'An entry says “this page is on its way”: whoever needs it waits (a migration entry)',
    color: '--mark-entry',
    shape: {
      polygons: [
        [
          [0, -1],
          [1, 0],
          [0, 1],
          [-1, 0],
        ],
      ],
    },
    row: 0,
    size: 4.5,
  },
  {
    kind: 'failed allocation',
    label: 'failed allocations',
    meaning: 'A page was asked for and there was none',
    color: '--mark-bad',
    shape: { polygons: [[...box(-0.9, -0.9, 1.8, 1.8), [-0.9, -0.9], [0.9, 0.9]]], open: true },
    row: 1,
    size: 4.5,
  },
  {
    kind: 'invalidation',
    label: 'invalidations',
    meaning:
      'Devices are told to forget a range: mmu_notifier_invalidate_range_start() and _end() around it',
    color: '--mark-invalid',
    shape: {
      polygons: [
        [
          [-0.85, -0.85],
          [0.85, 0.85],
        ],
        [
          [-0.85, 0.85],
          [0.85, -0.85],
        ],
      ],
      open: true,
    },
    row: 1,
    size: 4.5,
  },
  {
    kind: 'TLB flush',
    label: 'TLB flushes',
    meaning: 'CPUs are told to forget translations that they keep (flush_tlb_range())',
    color: '--mark-flush',
    shape: { polygons: [ring(0.9)], open: true },
    row: 1,
    size: 4.5,
  },
  {
    kind: 'split',
    label: 'splits',
    meaning: 'A large folio becomes single pages: split_folio()',
    color: '--mark-walk',
    shape: { polygons: [box(-0.75, -1, 0.5, 2), box(0.25, -1, 0.5, 2)] },
    row: 1,
    size: 4.5,
  },
  {
    kind: 'copy',
    label: 'copies',
    meaning: 'The bytes of a page are copied: in RAM, to a device, or back',
    color: '--mark-copy',
    shape: { polygons: [box(-0.8, -0.8, 1.6, 1.6)] },
    row: 1,
    size: 4.5,
  },
  {
    kind: 'allocation',
    label: 'allocations',
    meaning: 'A page of RAM or of a device is taken for use',
    color: '--mark-alloc',
    shape: {
      polygons: [
        [
          [-1, 0],
          [1, 0],
        ],
        [
          [0, -1],
          [0, 1],
        ],
      ],
      open: true,
    },
    row: 1,
    size: 4.2,
  },
];

/** A shape as the path of a small picture around (0, 0). */
export function shapePath({ polygons, open }: Shape, size: number): string {
  return polygons
    .map(
      (polygon) =>
        `M${polygon.map(([x, y]) => `${x * size} ${y * size}`).join('L')}${open ? '' : 'Z'}`,
    )
    .join('');
}
