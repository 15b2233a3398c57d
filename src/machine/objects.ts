/**
 * The numbers by which steps name objects, all of them on this page.
 *
 * A step names an object by its kind (`ObjectKind`) and a number. The rule is that *one object has one number*: with
 * two, the checker would take two steps that touch it for independent, and lose an end. Two objects that
 * share a number are taken for one, which costs schedules and no end. So a family of numbers below only has
 * to be the same whoever asks; that families of one kind do not meet is thrift, and holds as far as is said.
 *
 * | Kind | Numbers |
 * | --- | --- |
 * | `Lock` | a page table's: the table's number; any other: from `OWN_LOCKS` |
 * | `Entry` | the entry's index in the table pool |
 * | `Folio`, `FolioLock`, `Frame` | the (first) page's frame number |
 * | `Tlb` | the address space's number |
 * | `DeviceFrame` | `DEVICE_MEMORY`: all of them are one object |
 * | `Allocator` | `RAM`, `HUGE_POOL` |
 * | `Sequence` | an address space's: the lock of its subscriptions; a notifier's: `notifierOf` |
 * | `DeviceEntry` | the lock of the mirror whose table it is in |
 * | `File` | the open file, in the order of opening |
 * | `Batch` | the CPU |
 * | `Cache` | `cachePageOf` |
 * | `Mm` | an address space's areas' anon_vmas: its number; `flagsOf`, `writeProtectOf`, `usersOf` |
 * | `Program` | `PROGRAM`, `pinOf`, `openFilesOf`, `deviceFlagsOf` |
 * | `Userfault` | `userfaultfdOf` |
 * | `Pagemap` | the zone |
 */

/** Whatever has a number of its own: an address space, a lock. */
interface Numbered {
  readonly id: number;
}

// ---- Lock ----

/**
 * Locks that are not a page table's are numbered from here. A page table's lock has the table's number; a
 * million tables of 512 entries are 2 GiB of them.
 */
export const OWN_LOCKS = 1_000_000;

// ---- Allocator, DeviceFrame ----

/** RAM, among all that is allocated. */
export const RAM = 0;
/** The pool of huge pages, among all that is allocated. */
export const HUGE_POOL = 1;

/** The memory of all devices. */
export const DEVICE_MEMORY = 0;

// ---- Mm ----

/**
 * Address spaces that are numbered before the numbers of one family go on into those of the next. A program
 * has 16 processes at most.
 */
export const ADDRESS_SPACES = 2 ** 16;

/** An address space's flags (mm_struct.flags). */
export const flagsOf = (mm: Numbered): number => mm.id + ADDRESS_SPACES;
/** An address space's `writeProtectSeq`. */
export const writeProtectOf = (mm: Numbered): number => mm.id + 2 * ADDRESS_SPACES;
/** The users of an address space (mm_users). */
export const usersOf = (mm: Numbered): number => mm.id + 4 * ADDRESS_SPACES;

// ---- Sequence ----

/** Subscriptions to one address space before the numbers go on into those of the next lock. */
export const SUBSCRIPTIONS = 1024;

/**
 * The sequence of the `count`th notifier (from 1) that subscribed to an address space. Locks count from a
 * million, so that none of theirs is the number of a lock. Three locks are made for an address space and one
 * of them is for its subscriptions: the numbers of two do not meet before 3072 subscriptions.
 */
export const notifierOf = (lock: Numbered, count: number): number =>
  lock.id * SUBSCRIPTIONS + count;

// ---- Cache ----

/** Pages of a file at most: as many as there may be frames (PTE_MAX_PFN). */
export const FILE_PAGES = 2 ** 21;

/** A page of the page cache: the file's number among all mappings, and the page's offset in it. */
export const cachePageOf = (file: number, index: number): number => file * FILE_PAGES + index;

// ---- Userfault ----

/** Userfaultfds that one process makes before the numbers go on into those of the next. */
export const USERFAULTFDS = 256;

/** The missing faults of the `count`th userfaultfd (from 0) that an address space's process made. */
export const userfaultfdOf = (mm: Numbered, count: number): number => mm.id * USERFAULTFDS + count;

// ---- Program: far below the locks' numbers, by which it names the flags of a device ----

/** All that a program keeps between operations: a fork copies it. */
export const PROGRAM = 0;
/** Numbers under which one process may pin: 0 to 7. */
export const PINS = 8;

/** What a process pinned under a number. */
export const pinOf = (proc: number, id: number): number => 1 + proc * PINS + id;
/** Which files a process keeps open. */
export const openFilesOf = (proc: number): number => -1 - proc;
/** The flags of a driver's mirror of an address space: the number of the lock that is the mirror's. */
export const deviceFlagsOf = (mutex: Numbered): number => mutex.id;
