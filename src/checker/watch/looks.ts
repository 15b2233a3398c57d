/**
 * Notes what watches look at and are told of, for a search that wants to know which steps depend on each other.
 *
 * A look at a range is one at aligned blocks of it, of one page, of 16, or everything. A look and a change meet when a
 * block of one lies in a block of the other. So each is noted twice: a change as one of its block and of all blocks
 * around it, where looks at blocks find it; and a look in all blocks around its own, where changes of blocks find it.
 */
import { Role } from '../../machine/index.ts';
import type { Footprint } from '../footprint.ts';

const BLOCK_SHIFT = 4;
const BLOCK = 1 << BLOCK_SHIFT;
/** Blocks of a range at most; of more, it is everything. */
const MOST = 48;
/** More pages than an address space has. */
const PAGES = 2 ** 37;

const Level = { Page: 0, Block: 1, All: 2 } as const;
type Level = (typeof Level)[keyof typeof Level];

/** A block's number. */
const idOf = (space: number, level: Level, at: number): number => (space * 3 + level) * PAGES + at;

export class Looks {
  /** What the step under way had to do with; null: nobody wants to know. */
  footprint: Footprint | null = null;

  /** Something that is no range is looked at, or changed. */
  at(kind: number, id: number, role: Role): void {
    this.footprint?.add(kind, id, role);
  }

  /** Whether something holds for a page, or for some page of a range, is looked at. */
  read(kind: number, space: number, start: number, end = start + 1): void {
    const { footprint } = this;
    if (footprint === null) return;
    blocks(start, end, (level, at) => {
      footprint.add(kind, idOf(space, level, at), Role.Read);
      if (level < Level.Block) {
        footprint.add(kind + 1, idOf(space, Level.Block, at >> BLOCK_SHIFT), Role.Read);
      }
      if (level < Level.All) footprint.add(kind + 1, idOf(space, Level.All, 0), Role.Read);
    });
  }

  /** That is changed for a page, or for the pages of a range. */
  change(kind: number, space: number, start: number, end = start + 1): void {
    const { footprint } = this;
    if (footprint === null) return;
    blocks(start, end, (level, at) => {
      footprint.add(kind, idOf(space, level, at), Role.Commute);
      footprint.add(kind + 1, idOf(space, level, at), Role.Commute);
      if (level < Level.Block) {
        footprint.add(kind, idOf(space, Level.Block, at >> BLOCK_SHIFT), Role.Commute);
      }
      if (level < Level.All) footprint.add(kind, idOf(space, Level.All, 0), Role.Commute);
    });
  }

  /** It is changed as one finds it: the order of two such changes makes a difference. */
  write(kind: number, space: number, start: number, end = start + 1): void {
    this.read(kind, space, start, end);
    this.change(kind, space, start, end);
  }

  /** That is changed for all pages there are. */
  changeAll(kind: number, space: number): void {
    this.change(kind, space, 0, PAGES);
  }
}

/** The blocks of a range: as few as there can be, or everything. */
function blocks(start: number, end: number, each: (level: Level, at: number) => void): void {
  if (end - start > MOST * BLOCK) {
    each(Level.All, 0);
    return;
  }
  for (let at = start; at < end; ) {
    if (at % BLOCK === 0 && at + BLOCK <= end) {
      each(Level.Block, at >> BLOCK_SHIFT);
      at += BLOCK;
    } else each(Level.Page, at++);
  }
}
