/**
 * Nothing that was freed is used: a look at a free page's metadata or at an entry of a free page table is a finding, and an
 * object that was given back holds poison in the place of its fields.
 */

import { ObjectKind, type Pfn, type Ptep, Role } from '../../machine/index.ts';
import { PageField, watchesOnly } from '../../machine/internal.ts';
import type { Kernel } from '../../mm/index.ts';

/** Fields of a folio's first page: those of the pages behind it mean nothing. */
const OF_FOLIO: ReadonlySet<PageField> = new Set([
  PageField.Flags,
  PageField.Order,
  PageField.Mapcount,
  PageField.Mapping,
  PageField.Refcount,
]);

// who used it is to blame
watchesOnly(['onPoison']);

/** Looks at what is looked at. */
export class Poison {
  /** By what was freed: what its fields are then. */
  private readonly values = new Map<string, object>();

  constructor(private readonly k: Kernel) {}

  /** A page's metadata is looked at or changed. */
  page(pfn: Pfn, field: PageField): void {
    const { pages } = this.k;
    const head = pages.head[pfn];
    if (head === pfn) return;
    if (pfn < 0 || pfn >= pages.size || head === undefined) {
      this.k.report('out of range', 'a page is looked at that there is not', `PFN ${pfn}`);
    } else if (pages.isFree(pfn)) {
      const { givesBack } = this.k.current;
      if (pfn >= givesBack && pfn < givesBack + (1 << pages.order[givesBack])) return;
      this.k.report('use after free', 'a free page is looked at', `PFN ${pfn}`);
    } else if (OF_FOLIO.has(field)) {
      const detail = `PFN ${pfn} of folio ${head}`;
      this.k.report('folio', 'a page inside a folio is taken for a folio', detail);
    }
  }

  /** An entry of a page table is read. */
  entry(ptep: Ptep): void {
    const { tables } = this.k;
    if (ptep < 0 || ptep >= tables.entries.length || !Number.isInteger(ptep)) {
      this.k.report('out of range', 'an entry is read that no page table has', `entry ${ptep}`);
    } else if (tables.isFree(tables.tableOf(ptep))) {
      // whoever came there before is waited for: the kernel frees a table after a grace period
      if (this.k.current.pending.names(ObjectKind.Entry, ptep, Role.Read)) return;
      const detail = `entry ${ptep}`;
      this.k.report('use after free', 'an entry of a free page table is read', detail);
    }
  }

  /**
   * An object is given back: whoever follows a field of it, or calculates with one, is found.
   * @param what it was, to go on with `was freed`
   * @param keeps fields that others may still look at
   */
  object(object: object, what: string, keeps: readonly string[]): void {
    const value = this.valueOf(what);
    const fields = object as Record<string, unknown>;
    for (const key of Object.keys(fields)) if (!keeps.includes(key)) fields[key] = value;
  }

  private valueOf(what: string): object {
    let value = this.values.get(what);
    if (value === undefined) {
      const onPoison = (): never =>
        this.k.throwBug('use after free', `${what} that was freed is used`);
      value = new Proxy({}, { get: onPoison, set: onPoison, has: onPoison });
      this.values.set(what, value);
    }
    return value;
  }
}
