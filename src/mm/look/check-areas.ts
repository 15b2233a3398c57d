/** What must hold of locks, areas, notifiers and mappings while no task runs. */
import type { Lock } from '../../machine/lock.ts';
import { fileMapping } from '../../machine/page.ts';
import { AnonVma } from '../anon-vma.ts';
import type { Mm } from '../mm.ts';
import { AddressSpace } from '../shmem.ts';
import { bump, type Inspection } from './inspection.ts';
import { placeOf } from './leaves.ts';

export function checkLocks(i: Inspection): void {
  const { k } = i;
  const check = (lock: Lock | undefined): void => {
    if (lock?.held) i.say('lock', lock.name, 'a lock is held');
  };
  k.tables.locks.forEach(check);
  for (const mm of k.mms) {
    check(mm.mmapLock);
    check(mm.pageTableLock);
    check(mm.subscriptions.lock);
  }
  for (const mapping of k.mappings) {
    check(mapping?.lock);
    if (mapping instanceof AddressSpace) mapping.faultMutexes.forEach(check);
  }
  for (const mm of k.mms) for (const vma of mm.vmas) check(vma.resv?.lock);
  for (const lock of i.options.locks ?? []) check(lock);
  for (const task of i.options.tasks ?? [k.current]) {
    const where = `task ${task.name}`;
    if (task.held.length > 0) i.say('lock', where, `holds ${task.held[0].name}`);
    i.equal('lock', where, 'its count of spinlocks', task.spinDepth, 0);
    i.equal('lock', where, 'its count of folio locks', task.folioLocks, 0);
  }
}

export function checkAreas(i: Inspection, mm: Mm): void {
  let end = 0;
  for (const vma of mm.vmas) {
    const where = `${i.name(mm)}, ${placeOf(i.k, vma.start)}`;
    if (vma.mm !== mm) i.say('area', where, 'an area of another address space');
    if (vma.start < end || vma.end <= vma.start) {
      i.say('area', where, `areas overlap or are empty: ${vma.start} to ${vma.end}`);
    }
    end = vma.end;
    if (vma.file && !vma.file.vmas.includes(vma)) {
      i.say('area', where, 'an area is not in its file’s list');
    }
    const chains = vma.anonVmaChain;
    if ((vma.anonVma === null) !== (chains.length === 0)) {
      i.say(
        'anon_vma',
        where,
        `${chains.length} chains of an area with anon_vma ${vma.anonVma?.number}`,
      );
    }
    if (vma.anonVma && !chains.some((chain) => chain.anonVma === vma.anonVma)) {
      i.say('anon_vma', where, 'the area’s anon_vma is not among its chains');
    }
    for (const chain of chains) {
      if (!chain.anonVma.chains.includes(chain) || chain.vma !== vma) {
        i.say('anon_vma', where, `a chain that anon_vma ${chain.anonVma.number} does not know`);
      }
    }
  }
}

export function checkNotifiers(i: Inspection, mm: Mm): void {
  const subs = mm.subscriptions;
  if (!subs) return;
  const where = i.name(mm);
  i.equal(
    'notifier',
    where,
    'the count of invalidations under way',
    subs.activeInvalidateRanges,
    0,
  );
  if (subs.isInvalidating) i.say('notifier', where, `the sequence is odd: ${subs.invalidateSeq}`);
  i.equal('notifier', where, 'the deferred list’s length', subs.deferred.length, 0);
  for (const notifier of subs.tree) {
    if (!notifier.inTree || notifier.deferred || notifier.mm !== mm) {
      i.say('notifier', where, 'a subscription that is not as the tree has it');
    }
    if (notifier.invalidateSeq === subs.invalidateSeq) {
      i.say('notifier', where, 'a subscription waits for the end of an invalidation');
    }
  }
}

/** Files and anon_vmas: who is in their lists, and their counts. */
export function checkMappings(i: Inspection): void {
  const { k } = i;
  const alive = k.mappings.filter((mapping) => mapping !== undefined);
  const areas = k.mms.flatMap((mm) => mm.vmas);
  const known = new Set(areas);
  for (const mapping of alive) {
    if (mapping instanceof AddressSpace) {
      const where = `file ${mapping.number}`;
      if (mapping.vmas.length === 0 && mapping.opened === 0) {
        i.say('file', where, 'a file that nobody maps');
      }
      for (const vma of mapping.vmas) {
        if (!known.has(vma)) i.say('file', where, 'a file lists an area that is gone');
      }
      for (const [index, folio] of mapping.folios) {
        bump(i.counts.cached, folio, 1 << k.pages.order[folio]);
        const is = k.pages.mapping[folio];
        if (
          is !== fileMapping(mapping.number) ||
          k.pages.index[folio] !== index ||
          k.pages.isFree(folio)
        ) {
          i.say('file', `${where}, page ${index}`, `folio ${folio} says that it is elsewhere`);
        }
      }
      continue;
    }
    const where = `anon_vma ${mapping.number}`;
    for (const { vma } of mapping.chains) {
      if (!known.has(vma)) i.say('anon_vma', where, 'a chain leads to an area that is gone');
    }
    const others = alive.filter((other): other is AnonVma => other instanceof AnonVma);
    const children = others.filter((o) => o.parent === mapping && o.chains.length > 0).length;
    const below = others.filter((o) => o.root === mapping && o !== mapping).length;
    const own = mapping.chains.length > 0 ? 1 : 0;
    i.equal('anon_vma', where, 'the count of children', mapping.numChildren, children);
    i.equal('anon_vma', where, 'the reference count', mapping.refcount, own + below);
    const active = areas.filter((vma) => vma.anonVma === mapping).length;
    i.equal('anon_vma', where, 'the count of areas', mapping.numActiveVmas, active);
  }
}
