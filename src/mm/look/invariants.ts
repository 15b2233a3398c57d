import { PG_RESERVED } from '../../machine/page.ts';
import { pageFolio } from '../folio.ts';
import type { Kernel } from '../kernel.ts';
import { checkAreas, checkLocks, checkMappings, checkNotifiers } from './check-areas.ts';
import { checkLedgerAsWhole, checkPages, checkPool } from './check-pages.ts';
import { checkEntries, checkReverse, checkTables, checkTranslations } from './check-tables.ts';
import { type Broken, Inspection, type QuiescentOptions } from './inspection.ts';

export type { Broken, QuiescentOptions } from './inspection.ts';

/**
 * Checks a machine on which no task runs.
 * @returns what does not hold; empty when all is well
 */
export function checkQuiescent(k: Kernel, options: QuiescentOptions = {}): Broken[] {
  const inspection = new Inspection(k, options);
  checkLocks(inspection);
  for (const mm of k.mms) {
    checkAreas(inspection, mm);
    checkNotifiers(inspection, mm);
    checkEntries(inspection, mm);
  }
  checkMappings(inspection);
  checkTables(inspection);
  checkReverse(inspection);
  checkPages(inspection);
  checkPool(inspection);
  checkLedgerAsWhole(inspection);
  checkTranslations(inspection);
  return inspection.broken;
}

/**
 * What must be gone when every process has ended: address spaces, files, tables, and every folio but
 * the zero pages and what waits in an LRU batch or is pinned.
 */
export function checkEmpty(k: Kernel, options: QuiescentOptions = {}): Broken[] {
  const broken: Broken[] = [];
  const say = (where: string, title: string): void => {
    broken.push({ invariant: 'leak', title, where });
  };
  if (k.mms.length > 0) say('the machine', `${k.mms.length} address spaces are left`);
  if (k.tables.used > 0) say('the machine', `${k.tables.used} tables are left`);
  k.mappings.forEach((mapping, number) => {
    if (mapping) say(`mapping ${number}`, 'a file or an anon_vma is left');
  });
  const waiting = new Set<number>(
    k.lru.flatMap((own) => (Object.values(own) as number[][]).flat()),
  );
  for (const page of options.pins ?? []) waiting.add(pageFolio(k, page));
  for (let pfn = 0; pfn < k.pages.size; pfn++) {
    if (k.pages.isFree(pfn) || k.pages.flags[pageFolio(k, pfn)] & PG_RESERVED) continue;
    if (!waiting.has(pageFolio(k, pfn))) say(`page ${pfn}`, 'a page is still in use');
  }
  return broken;
}
