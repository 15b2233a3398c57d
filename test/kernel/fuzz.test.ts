/** Random programs, with the model in the place of a kernel, and a mistake put into what it answers. */
import { describe, expect, it } from 'vitest';
import { type FuzzState, fuzz, type Modelled } from '../../src/kernel/fuzz.ts';
import { Session } from '../../src/kernel/session.ts';
import { type Program, parseProgram, type Result, runProgram } from '../../src/program/index.ts';
import { KERNEL_PROFILES } from '../../src/program/internal.ts';
import { agent } from '../support/agent.ts';

type Answers = (program: Program, results: Result[]) => object | null;

/** What comes of some programs; the kernel answers as the model, but for what `answer` changes. */
async function run(
  answer: Answers,
  programs: number,
  { state, model = runProgram }: { state?: FuzzState; model?: (program: Program) => Modelled } = {},
) {
  const asked: string[] = [];
  let starts = 0;
  const session = new Session(
    async () => {
      starts++;
      return agent((line) => {
        const program = parseProgram({ name: line.name, ops: line.ops, machine: line.machine });
        asked.push(program.name);
        const { results } = runProgram(program);
        return answer(program, results);
      });
    },
    { crashes: 3 },
  );
  const so = state ?? {
    seed: 3,
    profiles: ['fork', 'mixed'],
    next: 0,
    ran: 0,
    skipped: 0,
    kinds: [],
  };
  const end = so.next + programs;
  let batches = 0;
  await fuzz(so, {
    profiles: KERNEL_PROFILES,
    session,
    run: model,
    prepare: (program) => program,
    until: () => so.next >= end,
    onProgress: (_, found) => {
      if (!found) batches++;
    },
  });
  await session.close();
  return { state: so, asked, starts, batches };
}

const same: Answers = (_, results) => ({ name: 'x', results });
/** A kernel that has another error for pages without permissions. */
const other: Answers = ({ ops }, results) => ({
  name: 'x',
  results: results.map((result, i) => {
    const op = ops[i];
    return op.op === 'mprotect' && op.prot === 'none' && result.ret === 'ok'
      ? { ret: 'EPERM' }
      : result;
  }),
});

describe('random programs on a kernel', () => {
  it('that does as the model: nothing is found', async () => {
    const { state, asked, batches } = await run(same, 64);
    expect(state).toMatchObject({ next: 64, ran: 64, skipped: 0, kinds: [] });
    expect(asked).toHaveLength(64);
    expect(new Set(asked).size).toBe(64);
    expect(batches).toBe(2);
  });

  it('that differs: the fewest operations that show it, with what the kernel returned', async () => {
    const { state } = await run(other, 64);
    expect(state.kinds).toHaveLength(1);
    const [{ program, count, ...kind }] = state.kinds;
    expect(kind).toMatchObject({
      what: 'differs',
      op: 'mprotect',
      field: 'ret',
      model: 'ok',
      kernel: 'EPERM',
    });
    expect(count).toBeGreaterThan(5);
    expect(program.ops.map(({ op }) => op)).toEqual(['mmap', 'mprotect']);
    expect(program.ops[1]).toMatchObject({ buf: 0, page: 0, pages: 1, prot: 'none' });
    expect(program.results).toEqual([{ ret: 'ok' }, { ret: 'EPERM' }]);
    // it is a line of a corpus
    expect(parseProgram(JSON.parse(JSON.stringify(program)))).toMatchObject({ ops: program.ops });
  });

  it('in two goes is as in one', async () => {
    const whole = await run(other, 96);
    const first = await run(other, 32);
    const second = await run(other, 64, { state: JSON.parse(JSON.stringify(first.state)) });
    expect(second.state).toEqual(whole.state);
  });

  it('that ends: told once, and not asked again to make it smaller', async () => {
    const ends: Answers = ({ ops }, results) =>
      ops.some(({ op }) => op === 'exclusive') ? null : { name: 'x', results };
    const { state, starts } = await run(ends, 32);
    // three are allowed; what is left is not run
    expect(starts).toBe(4);
    expect(state.kinds).toHaveLength(1);
    expect(state.kinds[0]).toMatchObject({ what: 'ended', words: 'it ended', count: 4 });
    expect(state.kinds[0].program.name).toBe(`${state.kinds[0].from}-small`);
    expect(state.skipped).toBeGreaterThan(0);
    expect(state.ran + state.skipped + 4).toBe(32);
  });

  it('that reports: told with the operation', async () => {
    const warns: Answers = ({ ops }, results) => {
      const op = ops.findIndex(({ op: name }) => name === 'fork');
      const kernel = { op, lines: ['WARNING: x at f+0x1/0x2', ' g+0x1/0x2'] };
      return { name: 'x', results, ...(op < 0 ? {} : { kernel }) };
    };
    const { state } = await run(warns, 32);
    expect(state.kinds).toHaveLength(1);
    expect(state.kinds[0]).toMatchObject({
      what: 'reported',
      op: 'fork',
      words: 'WARNING: x at f',
    });
  });

  it('that is not what differs, as the model breaks: no kernel is asked', async () => {
    const breaks = (program: Program): Modelled => {
      const op = program.ops.findIndex(({ op: name }) => name === 'exclusive');
      if (op < 0) return runProgram(program);
      return { results: [], findings: [{ title: 'WARN', op }] };
    };
    const { state, asked } = await run(same, 32, { model: breaks });
    expect(state.kinds).toMatchObject([{ what: 'model', op: 'exclusive', words: 'WARN' }]);
    expect(state.kinds[0].program.ops.map(({ op }) => op)).toEqual(['exclusive']);
    expect(asked).toHaveLength(state.ran);
  });

  it('that does not show it again: told as that', async () => {
    let times = 0;
    const fickle: Answers = ({ ops }, results) =>
      ops.some(({ op }) => op === 'mprotect') && times++ === 0
        ? { name: 'x', results: [{ ret: 'EIO' }, ...results.slice(1)] }
        : { name: 'x', results };
    const { state } = await run(fickle, 32);
    expect(state.kinds).toMatchObject([{ what: 'differs', once: true, kernel: 'EIO' }]);
  });

  it('leaves out what waits for ever for a monitor', async () => {
    const fresh = { seed: 1, profiles: ['uffd'], next: 0, ran: 0, skipped: 0, kinds: [] };
    const { state } = await run(
      (program, results) => {
        expect(results).toHaveLength(program.ops.length);
        return { name: 'x', results };
      },
      64,
      { state: fresh },
    );
    expect(state).toMatchObject({ ran: 64, kinds: [] });
  });
});
