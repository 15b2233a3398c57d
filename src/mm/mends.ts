/**
 * What Linux 7.3.4 itself has wrong, of what is modelled here: each flaw with the mend that the model has in its place.
 * A kernel carries which mends are off (`k.unmended`); there it does what 7.3.4 does.
 */

/** A flaw of 7.3.4, and what the model does about it. */
export interface Mend {
  /** The kernel's function. */
  readonly function: string;
  /** Its file. */
  readonly file: string;
  /** What it does, in a sentence. */
  readonly flaw: string;
  /** What comes of it, in a sentence. */
  readonly effect: string;
  /** What the model does instead, in a sentence. */
  readonly mend: string;
  /** A scenario that ships and shows it, by its name. */
  readonly shown: string;
}

export const MENDS = {
  'split-one-process': {
    function: 'migrate_vma_split_unmapped_folio()',
    file: 'mm/migrate_device.c',
    flaw: 'a huge folio is split whose migration entry is split only where the migration began, whatever is there by now',
    effect:
      "another process's migration entry stays huge and is given a small folio: BUG in remove_migration_pte() or a huge mapping of one page; where the entry is gone, a reference leaks",
    mend: "the folio's own migration entries are split, in every process that has one",
    shown: 'huge-shared-no-room',
  },
  'device-pmd-cleared': {
    function: 'set_pmd_migration_entry()',
    file: 'mm/huge_memory.c',
    flaw: 'a device-private PMD is cleared before the migration entry takes its place',
    effect:
      'zap_pmd_range(), which looks without the lock, passes over the page: memory that was given up has its old contents again',
    mend: 'the device-private entry stays until the migration entry takes its place',
    shown: 'huge-device-migrated-dontneed',
  },
} as const satisfies Record<string, Mend>;

/** A mend, by the name of its flaw. */
export type MendName = keyof typeof MENDS;

export const MEND_NAMES = Object.keys(MENDS) as MendName[];

/** What may be turned off: mends by name, or all of them. */
export const UNMENDED = [...MEND_NAMES, 'all'] as const;
export type Unmended = (typeof UNMENDED)[number];

/** By mend: whether it is off. */
export type UnmendedSet = Readonly<Record<MendName, boolean>>;

/**
 * Which mends are off.
 * @throws RangeError for a name that there is not
 */
export function unmendedSet(names: readonly Unmended[] = []): UnmendedSet {
  for (const name of names) {
    if (!UNMENDED.includes(name))
      throw new RangeError(`unmended: expected ${UNMENDED.join(', ')}, got ${String(name)}`);
  }
  const off = (name: MendName) => [name, names.includes(name) || names.includes('all')];
  return Object.freeze(Object.fromEntries(MEND_NAMES.map(off)));
}
