import { mappingNumber, PG_ANON_EXCLUSIVE, PG_HUGETLB } from '../../machine/page.ts';
import {
  mkPte,
  PTE_DIRTY,
  PTE_FLAGS_MASK,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  ptePfn,
  ptePresent,
} from '../../machine/pte.ts';
import type { Folio, Pfn, Pte, SpaceId, TableId, Vpn } from '../../machine/units.ts';
import { AnonVma } from '../anon-vma.ts';
import { folioIsDevicePrivate, folioTestAnon, pageFolio } from '../folio.ts';
import { isDeviceExclusive, isDevicePrivate, isMigration } from '../leafops.ts';
import type { Mm } from '../mm.ts';
import {
  isVmHugetlbPage,
  VM_MIXEDMAP,
  VM_SHARED,
  VM_WRITE,
  type Vma,
  vmaIsAccessible,
} from '../vma.ts';
import { bump, type Inspection, isWritable, type Where } from './inspection.ts';
import { type Leaf, leafPfn, placeOf } from './leaves.ts';

export function checkTables(i: Inspection): void {
  const { k } = i;
  const seen = new Set<number>();
  const take = (table: TableId, where: string): void => {
    if (seen.has(table)) i.say('table', where, `table ${table} is used twice`);
    seen.add(table);
  };
  for (const mm of k.mms) {
    const where = i.name(mm);
    const { leaves, tables } = i.tree(mm);
    const { all, pteTables, pmdTables } = tables;
    for (const table of all) take(table, where);
    let deposited = 0;
    for (const table of pmdTables) {
      for (const kept of k.tables.deposits.get(table) ?? []) {
        take(kept, where);
        deposited++;
        if (!k.tables.isEmpty(kept)) i.say('table', where, `deposited table ${kept} has entries`);
      }
      const huge = leaves.filter(
        (l) => l.huge && k.tables.tableOf(l.ptep) === table && !isHugetlb(i, l),
      );
      const kept = k.tables.deposits.get(table)?.length ?? 0;
      if (kept < huge.length) {
        i.say('table', where, `${kept} tables are deposited for ${huge.length} huge entries`);
      }
    }
    const counted = pteTables.length + deposited;
    i.equal('table', where, 'the count of lowest-level tables', mm.pteTables, counted);
  }
  i.equal('table', 'all address spaces', 'the count of tables in use', k.tables.used, seen.size);
}

/** Whether an entry maps a huge page of the pool: for those no table stands by. */
export function isHugetlb(i: Inspection, { pte }: Leaf): boolean {
  const { pages } = i.k;
  const page = leafPfn(pte);
  if (!ptePresent(pte) || pages.isFree(page)) return false;
  return (pages.flags[pageFolio(i.k, page)] & PG_HUGETLB) !== 0;
}

export function checkEntries(i: Inspection, mm: Mm): void {
  const { k } = i;
  const { pages } = k;
  let anon = 0;
  let hugetlb = 0;
  let file = 0;
  for (const leaf of i.tree(mm).leaves) {
    const { vpn, pte, huge } = leaf;
    const where = (): string => `${i.name(mm)}, ${placeOf(k, vpn)}`;
    const vma = mm.lookupVma(vpn);
    if (!vma || vpn + leaf.pages > vma.end) {
      i.say('entry', where, 'an entry outside of any area');
      continue;
    }
    const present = ptePresent(pte);
    if (!present && isMigration(pte)) {
      i.say('migration entry', where, `a migration entry of page ${leafPfn(pte)}`);
      continue;
    }
    if (!present && !isDevicePrivate(pte) && !isDeviceExclusive(pte)) {
      i.say('entry', where, `an entry of an unknown kind: ${pte.toString(16)}`);
      continue;
    }
    checkPermission(i, vma, pte, where);
    const page = leafPfn(pte);
    if (pte & PTE_SPECIAL && present) {
      if (!(huge ? k.isHugeZero(page) : k.isZero(page))) {
        i.say('entry', where, `page ${page} is mapped as the zero page`);
      }
      if (isWritable(pte)) i.say('permission', where, 'the zero page is writable');
      continue;
    }
    if (pages.isFree(page)) {
      i.say('use after free', where, `page ${page} is mapped and free`);
      continue;
    }
    const folio = pageFolio(k, page);
    if (!present && isDevicePrivate(pte) !== folioIsDevicePrivate(k, page)) {
      i.say('entry', where, `page ${page} is not where its entry says (device or RAM)`);
    }
    if (present && !k.hasFrame(page)) {
      i.say('entry', where, `a present entry of device page ${page}`);
    }
    bump(i.counts.mappings, folio);
    const pooled = isHugetlb(i, leaf);
    if (pooled !== isVmHugetlbPage(vma)) {
      i.say('entry', where, `page ${page} is ${pooled ? '' : 'not '}of the pool of huge pages`);
    }
    if (huge) {
      bump(i.counts.entire, folio);
      if (page !== folio) i.say('entry', where, 'a huge entry of a page within a folio');
    } else bump(i.counts.pte, page);
    if (pooled) hugetlb += leaf.pages;
    else if (folioTestAnon(k, folio)) anon += leaf.pages;
    else file += leaf.pages;
    i.mapped.push({ mm, vma, leaf, where });
  }
  i.equal('rss', i.name(mm), 'the count of anonymous pages', mm.anonPages, anon);
  i.equal('rss', i.name(mm), 'the count of file pages', mm.filePages, file);
  i.equal('rss', i.name(mm), 'the count of hugetlb pages', mm.hugetlbPages, hugetlb);
}

export function checkPermission(i: Inspection, vma: Vma, pte: Pte, where: Where): void {
  if (isWritable(pte) && !(vma.flags & VM_WRITE)) {
    i.say('permission', where, 'a writable entry in an area that is not writable');
  }
  if (pte & PTE_PRESENT && !vmaIsAccessible(vma)) {
    i.say('permission', where, 'the hardware may read in an area without permissions');
  }
  if (!ptePresent(pte) && vma.flags & VM_SHARED) {
    i.say('entry', where, 'a device entry in a shared area');
  }
}

/** Each mapped page against the reverse map, and who may write. */
export function checkReverse(i: Inspection): void {
  const { k } = i;
  const { pages } = k;
  for (const { mm, vma, leaf, where } of i.mapped) {
    const page = leafPfn(leaf.pte);
    const folio = pageFolio(k, page);
    const index = pages.index[folio] + (page - folio);
    const object = k.mappings[mappingNumber(pages.mapping[folio])];
    if (vma.flags & VM_MIXEDMAP && !folioTestAnon(k, folio)) {
      if (object) i.say('reverse map', where, `a driver’s page ${page} has a reverse map`);
      continue;
    }
    if (!folioTestAnon(k, folio)) {
      const at = vma.pgoff + (leaf.vpn - vma.start);
      if (object !== vma.file || index !== at || vma.file?.folios.get(at) !== page) {
        i.say('reverse map', where, `page ${page} is not the page of the file there`);
      }
      continue;
    }
    const found =
      object instanceof AnonVma &&
      object.chains.some(
        ({ vma: area }) =>
          area.mm === mm &&
          area.start <= leaf.vpn &&
          leaf.vpn < area.end &&
          area.anonPgoff + (leaf.vpn - area.start) === index,
      );
    if (!found) i.say('reverse map', where, `the reverse map of page ${page} does not lead here`);
    checkExclusive(i, leaf, page, folio, where);
  }
}

export function checkExclusive(
  i: Inspection,
  leaf: Leaf,
  page: Pfn,
  folio: Folio,
  where: Where,
): void {
  const { k, counts } = i;
  const exclusive = (k.pages.flags[page] & PG_ANON_EXCLUSIVE) !== 0;
  if (!exclusive) {
    if (isWritable(leaf.pte)) {
      i.say('exclusive', where, `anonymous page ${page} is writable and not exclusive`);
    }
    if (!ptePresent(leaf.pte) && isDeviceExclusive(leaf.pte)) {
      i.say('exclusive', where, `page ${page} is a device’s alone and not exclusive`);
    }
    return;
  }
  let times = counts.entire.get(folio) ?? 0;
  if (leaf.huge) {
    for (let i = 0; i < leaf.pages; i++) times += counts.pte.get(page + i) ?? 0;
  } else times += counts.pte.get(page) ?? 0;
  if (times > 1) i.say('exclusive', where, `page ${page} is exclusive and mapped ${times} times`);
}

/** The entry that maps a page, as a TLB would have it; 0 for none. */
export function mappedAt(i: Inspection, space: SpaceId, vpn: Vpn): Pte {
  const mm = i.k.mms.find(({ id }) => id === space);
  if (!mm) return 0;
  for (const leaf of i.tree(mm).leaves) {
    const offset = vpn - leaf.vpn;
    if (offset < 0 || offset >= leaf.pages) continue;
    return mkPte(ptePfn(leaf.pte) + offset, leaf.pte & PTE_FLAGS_MASK);
  }
  return 0;
}

export function checkTranslations(i: Inspection): void {
  const { k } = i;
  k.tlbs.forEach((tlb, cpu) => {
    for (const { space, vpn, pte } of tlb.cached()) {
      const where = (): string => `TLB of CPU ${cpu}, address space ${space}, ${placeOf(k, vpn)}`;
      const entry = mappedAt(i, space, vpn);
      if (!(entry & PTE_PRESENT)) {
        i.say('TLB', where, `page ${ptePfn(pte)} is cached, and not mapped any more`);
      } else if (ptePfn(entry) !== ptePfn(pte)) {
        i.say('TLB', where, `page ${ptePfn(pte)} is cached, page ${ptePfn(entry)} is mapped`);
      } else if (pte & ~entry & (PTE_WRITE | PTE_DIRTY)) {
        const what = pte & ~entry & PTE_WRITE ? 'writable' : 'dirty';
        i.say('TLB', where, `the cached entry is ${what}, the page table’s is not`);
      }
    }
  });
}
