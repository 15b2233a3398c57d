/**
 * How often a folio is mapped is no news but to who keeps it from changing, or holds the folio at least: its lock, a
 * page-table lock, or a reference. A look at it without any of these is a finding, as KCSAN would have it.
 *
 * Who took a reference is not known: where there is one that no mapping has, it may be the task's. Nor is it asked
 * which page table's lock it is.
 */
import { ObjectKind, type Pfn, Role } from '../../machine/index.ts';
import { innermostStack, PageField, watchesOnly } from '../../machine/internal.ts';
import type { Kernel } from '../../mm/index.ts';
import type { Looks } from './looks.ts';

/** A function that looks all the same, and why Linux lets it. */
export interface Reader {
  /** The modelled function. */
  readonly name: string;
  readonly why: string;
}

export const READERS: readonly Reader[] = [
  {
    name: 'idle',
    why: 'the test driver waits for folios that others bring back: a hint, and it looks again',
  },
];

watchesOnly(['mapcountRead']);

export class Reads {
  constructor(
    private readonly k: Kernel,
    private readonly looks: Looks,
  ) {}

  /** A page's metadata is looked at. */
  mapcountRead(pfn: Pfn, field: PageField): void {
    if (field !== PageField.Mapcount && field !== PageField.PageMapcount) return;
    const { k } = this;
    const { current, pages } = k;
    if (!k.stepping || current.spinDepth > 0) return;
    const folio = pages.head[pfn];
    if (folio < 0 || pages.lockOwner[folio] === current.id) return;
    this.looks.at(ObjectKind.Folio, folio, Role.Read);
    const references = pages.refcount[folio];
    const mappings = pages.order[folio] > 0 ? pages.largeMapcount[folio] : pages.mapcount[folio];
    // whoever dropped the last one has the folio for himself
    if (references === 0 || references > mappings) return;
    const [at = ''] = innermostStack(1);
    if (READERS.some(({ name }) => name === at)) return;
    k.report(
      'unguarded read',
      'how often a folio is mapped is looked at without its lock, a page-table lock or a reference',
      `PFN ${pfn}`,
    );
  }
}
