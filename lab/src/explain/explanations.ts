/** What entries and pages of memory are, bit by bit, with the kernel's names. */
import { type Holder, LEAF_BITS, PAGE_FLAGS } from '../../../src/mm/index.ts';
import type {
  DeviceEntryItem,
  EntryItem,
  FrameItem,
  TlbItem,
} from '../../../src/recording/index.ts';

/** One bit, flag or count. */
export interface Line {
  readonly word: string;
  /** What the kernel calls it, and asks for it with. */
  readonly kernel: string;
  readonly meaning: string;
  readonly set: boolean;
}

export interface Explained {
  readonly title: string;
  readonly kernel: string;
  readonly text: string;
  readonly lines: readonly Line[];
  readonly raw: string;
}

/** How the kernel asks for a bit of a present entry, and of one that is not. */
const ASKED: Record<string, { present?: string; leaf?: string }> = {
  writable: { present: 'pte_write()' },
  young: { present: 'pte_young()', leaf: 'softleaf_is_migration_young(), SWP_MIG_YOUNG_BIT' },
  dirty: { present: 'pte_dirty()', leaf: 'softleaf_is_migration_dirty(), SWP_MIG_DIRTY_BIT' },
  'soft-dirty': { present: 'pte_soft_dirty()', leaf: 'pte_swp_soft_dirty(), _PAGE_SWP_SOFT_DIRTY' },
  uffd: { present: 'pte_uffd_wp()', leaf: 'pte_swp_uffd_wp(), _PAGE_SWP_UFFD_WP' },
  special: { present: 'pte_special()' },
  'no access': { present: 'pte_protnone()' },
  huge: { present: 'pmd_trans_huge()', leaf: 'pmd_is_migration_entry() or device-private' },
};

/** The bits that are worth saying even where they are not set. */
const ALWAYS: Record<'present' | 'migration' | 'other', readonly string[]> = {
  present: ['writable', 'young', 'dirty', 'soft-dirty', 'uffd'],
  migration: ['young', 'dirty', 'soft-dirty', 'uffd'],
  other: ['soft-dirty', 'uffd'],
};

/** The type of an entry that is not present: it says what may be done again later. */
function typeOf({ kind, bits }: EntryItem): { name: string; text: string } {
  const writable = bits.includes('writable');
  switch (kind) {
    case 'migration':
      if (writable) {
        return {
          name: 'SWP_MIGRATION_WRITE',
          text: 'The page is being moved. Whoever touches it waits until the move has ended; then the entry may be written through again.',
        };
      }
      return bits.includes('exclusive')
        ? {
            name: 'SWP_MIGRATION_READ_EXCLUSIVE',
            text: 'The page is being moved. Whoever touches it waits; afterwards it is read-only, and this process’s alone.',
          }
        : {
            name: 'SWP_MIGRATION_READ',
            text: 'The page is being moved. Whoever touches it waits until the move has ended; afterwards it is read-only.',
          };
    case 'device-private':
      return {
        name: writable ? 'SWP_DEVICE_WRITE' : 'SWP_DEVICE_READ',
        text: `The page lies in a device’s memory, where no CPU can reach it. A CPU that touches it faults, and the page comes back${writable ? '' : ', read-only'}.`,
      };
    case 'device-exclusive':
      return {
        name: 'SWP_DEVICE_EXCLUSIVE',
        text: 'The page lies in RAM, and a device alone may use it, for atomic operations. A CPU that touches it takes it back.',
      };
    default:
      return { name: 'softleaf_type()', text: 'An entry of a kind that is not known here.' };
  }
}

const PRESENT: Record<string, string> = {
  present: 'A page is mapped: the CPU finds it without the kernel’s help.',
  zero: 'The shared page of zeros is mapped: memory that was read and never written.',
  'not accessible': 'A page is mapped, and nobody may use it: any touch faults.',
};

export function explainEntry(entry: EntryItem): Explained {
  const { place, kind, bits, pfn, pages, value } = entry;
  const present = kind in PRESENT;
  const [level, size] = pages > 1 ? ['PMD', `, one entry for ${pages} pages`] : ['PTE', ''];
  const always = ALWAYS[present ? 'present' : kind === 'migration' ? 'migration' : 'other'];
  const type = typeOf(entry);
  const lines: Line[] = LEAF_BITS.flatMap(([word, macro, meaning]) => {
    const set = bits.includes(word);
    // what the type of an entry says is said with the type
    const ofType = !present && (word === 'writable' || word === 'exclusive');
    if (ofType || (!set && !always.includes(word))) return [];
    const asked = ASKED[word];
    const kernel = present ? `${asked?.present ?? ''}, ${macro}` : (asked?.leaf ?? macro);
    return [{ word, kernel, meaning, set }];
  });
  return {
    title: `${place}${size}`,
    kernel: present ? `${level.toLowerCase()}_present()` : `swap type ${type.name}`,
    text: `${present ? PRESENT[kind] : type.text} It names page ${pfn} (its PFN).`,
    lines,
    raw: `${level} entry 0x${(value >>> 0).toString(16)}`,
  };
}

/** Who holds references: the kernel's name, and what they are for. */
const HOLDERS: Record<Holder, readonly [kernel: string, meaning: string]> = {
  allocation: ['folio_alloc()', 'whoever has allocated it and still builds it'],
  mapping: ['folio_add_…_rmap_…()', 'a page-table entry, present or of a device'],
  'page cache': ['filemap_add_folio()', 'the file that it is of'],
  'LRU batch': [
    'folio_add_lru()',
    'a CPU’s batch, on the way to the list of what may be reclaimed',
  ],
  isolation: ['folio_isolate_lru()', 'whoever has taken it off that list'],
  migration: ['migrate_vma_collect_pmd()', 'a walk that means to move it'],
  fault: ['folio_get()', 'a fault that looks at it'],
  pin: ['get_user_pages()', 'somebody who may use it behind the CPU’s back: it must not move'],
  split: ['split_folio()', 'a split of the folio that it was part of'],
};

export function explainFrame(frame: FrameItem): Explained {
  const { pfn, memory, folio, order, refcount, holders, mapcount, flags, lockedBy, kind } = frame;
  const large = order > 0 ? ` It is one of the ${2 ** order} pages of folio ${folio}.` : '';
  const where = memory === 'RAM' ? 'a page of RAM' : `a page of device ${memory}’s own memory`;
  const count = (word: string, kernel: string, meaning: string): Line => ({
    word,
    kernel,
    meaning,
    set: true,
  });
  return {
    title: `Page ${pfn}: ${where}`,
    kernel: 'struct page, struct folio',
    text: `${KINDS[kind]}${large}`,
    lines: [
      count(
        `${refcount} reference${refcount === 1 ? '' : 's'}`,
        'folio_ref_count()',
        refcount === 0 ? 'free to be taken' : 'it is not freed while there is one',
      ),
      ...Object.entries(holders).map(([who, n]) =>
        count(`held ${n} × by ${who}`, ...HOLDERS[who as Holder]),
      ),
      {
        word: mapcount === 0 ? 'mapped' : `mapped ${mapcount} time${mapcount === 1 ? '' : 's'}`,
        kernel: 'folio_mapcount(), page _mapcount',
        meaning: 'page-table entries that lead to it',
        set: mapcount > 0,
      },
      ...flags.flatMap((flag) => {
        const [, word, kernel, meaning] = PAGE_FLAGS.find(([, one]) => one === flag) ?? [
          0,
          flag,
          '',
          '',
        ];
        const by = word === 'locked' && lockedBy !== '' ? ` (${lockedBy})` : '';
        return [count(word, kernel, `${meaning}${by}`)];
      }),
    ],
    raw: frame.word === null ? '' : `first word 0x${frame.word.toString(16)}`,
  };
}

const KINDS: Record<FrameItem['kind'], string> = {
  anonymous: 'Anonymous memory: what a process has written, of no file.',
  file: 'Of a file, or of memory that is shared like one.',
  'zero page': 'The page of zeros that all share who have only read.',
  other: 'Just allocated, or on its way: it belongs to no mapping yet.',
};

export function explainTlb({ place, cpu, writable, pfn }: TlbItem): Explained {
  return {
    title: `CPU ${cpu}’s TLB: ${place}`,
    kernel: 'flush_tlb_range()',
    text: `The CPU keeps this translation and uses it without a look at the page table, until it is flushed. It leads to page ${pfn}.`,
    lines: [
      {
        word: 'writable',
        kernel: '_PAGE_RW',
        meaning: 'the CPU may write through it',
        set: writable,
      },
    ],
    raw: '',
  };
}

export function explainDeviceEntry({ place, device, right, pfn }: DeviceEntryItem): Explained {
  const may = { read: 'may read', write: 'may read and write', exclusive: 'alone may use it' };
  return {
    title: `Device ${device}’s page table: ${place}`,
    kernel: 'hmm_range_fault(), dmirror pt',
    text: `The device has its own page table and ${may[right]} page ${pfn}. Its MMU notifier takes the entry away before the process’s changes.`,
    lines: [],
    raw: '',
  };
}
