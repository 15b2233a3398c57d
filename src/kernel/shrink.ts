/** Making a program smaller that shows something, whatever it shows. */
import { OPS, type Op, type Program } from '../program/index.ts';

/** Which of some programs show it still: the index of the first, or -1. All of them are asked at once. */
export type FirstThat = (candidates: readonly Program[]) => Promise<number>;

/** Programs that are asked at once. */
const AT_ONCE = 8;

/** The first of many that shows it, some at a time; null where none does. */
async function first(all: readonly Op[][], program: Program, still: FirstThat) {
  // one without operations shows nothing
  const candidates = all.filter((ops) => ops.length > 0);
  for (let i = 0; i < candidates.length; i += AT_ONCE) {
    const some = candidates.slice(i, i + AT_ONCE).map((ops) => ({ ...program, ops }));
    const at = await still(some);
    if (at >= 0) return { program: some[at], at: all.indexOf(candidates[i + at]) };
  }
  return null;
}

/** Leaves out runs of operations, long ones first. */
async function fewer(program: Program, still: FirstThat): Promise<Program> {
  let left = program;
  for (let size = Math.max(1, left.ops.length >> 1); size >= 1; size >>= 1) {
    for (let from = 0; from < left.ops.length; ) {
      const { ops } = left;
      const without: Op[][] = [];
      for (let at = from; at < ops.length; at += size)
        without.push([...ops.slice(0, at), ...ops.slice(at + size)]);
      const found = await first(without, left, still);
      if (!found) break;
      left = found.program;
      from += found.at * size;
    }
  }
  return left;
}

/** A child's operations as its parent's, without the fork; what was moved where it was, without the mremap. */
function without(ops: readonly Op[], at: number): Op[] {
  const gone = ops[at];
  const rest = ops.filter((_, i) => i !== at);
  if (gone.op === 'fork')
    return rest.map((op) => (op.proc === gone.child ? { ...op, proc: gone.proc } : op));
  if (gone.op !== 'mremap' && gone.op !== 'mremap_dontunmap') return rest;
  return rest.map((op, i) => {
    if (i < at || !('buf' in op) || op.buf !== gone.toBuf) return op;
    return { ...op, buf: gone.buf, page: Math.max(0, op.page - gone.toPage + gone.page) };
  });
}

/** What an operation may be in place of what it is, the simplest first. */
function simpler(op: Op): Op[] {
  const fields = op as unknown as Record<string, number | string>;
  const all: Record<string, number | string>[] = [];
  const put = (field: string, ...values: (number | string)[]): void => {
    for (const value of values)
      if (fields[field] !== value) all.push({ ...fields, [field]: value });
  };
  const { pages, page } = fields;
  if (typeof pages === 'number' && pages > 1) put('pages', 1, 4, pages >> 1, 512, pages - 1);
  if (typeof page === 'number' && page > 0) {
    put('page', 0, Math.floor(page / 512) * 512, page >> 1);
    // the same end
    if (typeof pages === 'number') all.push({ ...fields, page: 0, pages: page + pages });
  }
  if ('buf' in OPS[op.op]) put('buf', 0);
  if ('dev' in OPS[op.op]) put('dev', 0);
  if (op.op === 'mmap') {
    put('kind', 'anon');
    put('prot', 'rw');
  }
  // never larger, so that it comes to an end
  const weight = (one: Record<string, number | string>) =>
    Number(one.pages ?? 0) + 2 * Number(one.page ?? 0);
  return all.filter((one) => weight(one) <= weight(fields)).map((one) => one as unknown as Op);
}

/** Makes operations simpler, one by one. */
async function smaller(program: Program, still: FirstThat): Promise<Program> {
  let left = program;
  for (let at = left.ops.length - 1; at >= 0; at--) {
    if (at >= left.ops.length) continue;
    const { ops } = left;
    const put = (op: Op): Op[] => ops.map((one, i) => (i === at ? op : one));
    const candidates = [without(ops, at), ...simpler(ops[at]).map((op) => put(op))];
    const found = await first(candidates, left, still);
    if (!found) continue;
    left = found.program;
    at++;
  }
  return left;
}

/**
 * Makes a program as small as it becomes: no operation can be left out, no range made shorter.
 * @param still which candidates show what it shows
 */
export async function shrink(program: Program, still: FirstThat): Promise<Program> {
  let left = program;
  for (;;) {
    const before = JSON.stringify(left);
    left = await smaller(await fewer(left, still), still);
    if (JSON.stringify(left) === before) return left;
  }
}
