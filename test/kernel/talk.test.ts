/** The protocol, with a pair of streams in the place of a kernel. */
import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { askAll } from '../../src/kernel/ask.ts';
import type { Guest } from '../../src/kernel/guest.ts';
import {
  type Answer,
  otherMachine,
  programLine,
  readAgentLine,
} from '../../src/kernel/protocol.ts';
import { AgentGone, Talk } from '../../src/kernel/talk.ts';
import { type Program, parseProgram } from '../../src/program/index.ts';
import { agent, HELLO } from '../support/agent.ts';

const program = (name: string, more: object = {}): Program =>
  parseProgram({ name, ops: [{ op: 'clear_soft_dirty' }], ...more });
const many = (count: number) => Array.from({ length: count }, (_, i) => program(`p${i}`));
const ok = (name: string) => ({ name, results: [{ ret: 'ok' }] });

it('what an agent said before it went is heard, though nobody takes what is written any more', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const talk = new Talk(output, input, { seconds: 60, patience: 60 });
  const answers = ['first', 'second'].map((name) => talk.ask(program(name)));
  input.destroy(new Error('write EPIPE'));
  await new Promise(setImmediate);
  output.end(`${JSON.stringify(ok('first'))}\n`);
  await expect(answers[0]).resolves.toMatchObject({ results: [{ ret: 'ok' }] });
  await expect(answers[1]).rejects.toThrow('it ended');
});

describe('lines of an agent', () => {
  it('are read by their kind', () => {
    const read = (value: object) => readAgentLine(JSON.stringify(value));
    expect(read(HELLO)).toEqual({ kind: 'hello', hello: HELLO });
    expect(read({ took: 4096 })).toEqual({ kind: 'took', bytes: 4096 });
    expect(read({ round: 7 })).toEqual({ kind: 'alive' });
    expect(read({ ended: 'why' })).toEqual({ kind: 'ended', why: 'why' });
    const answer = (value: object) => {
      const line = read({ name: 'x', ...value });
      return line?.kind === 'answer' ? line.answer : null;
    };
    expect(answer({ results: [{ ret: 'ok' }] })).toEqual({ results: [{ ret: 'ok' }], reports: [] });
    expect(answer({ skipped: 'no' })).toEqual({ results: [], reports: [], skipped: 'no' });
    expect(answer({ results: [], died: 0 })?.stopped).toEqual({
      how: 'a process of it was killed',
      op: 0,
    });
    expect(answer({ results: [], hung: 3 })?.stopped).toEqual({ how: 'it took too long', op: 3 });
    const kernel = { op: 2, lines: ['WARNING: x at f+0x1/0x2', ' g+0x1/0x2'] };
    expect(answer({ results: [], kernel })?.reports).toEqual([
      { title: 'WARNING: x at f', frames: ['g'], op: 2 },
    ]);
    const late = answer({ results: [], kernel: { ...kernel, op: -1 } });
    expect(late?.reports).toEqual([{ title: 'WARNING: x at f', frames: ['g'] }]);
    expect(readAgentLine('Last login: today')).toBeNull();
    expect(readAgentLine('17')).toBeNull();
  });

  it('of another version, or of a program that is not read, are refused', () => {
    const refused = (value: object) => () => readAgentLine(JSON.stringify(value));
    expect(refused({ ...HELLO, protocol: 2 })).toThrow('the agent speaks protocol 2, this is 1');
    expect(refused({ bad: 'op 1: no buf' })).toThrow('op 1: no buf');
  });
});

describe('a program as a line', () => {
  it('has what the agent needs and nothing else', () => {
    const noted = parseProgram({
      name: 'n',
      comment: 'c',
      machine: { walk: 'collect', hugetlbPages: 4 },
      ops: [{ op: 'exit', comment: 'd' }],
      results: [{ ret: 'ok' }],
    });
    expect(programLine(noted, 9)).toBe(
      '{"name":"n","seconds":9,"machine":{"hugetlbPages":4},"ops":[{"op":"exit","proc":0}]}\n',
    );
  });

  it('is for a machine that a kernel can be', () => {
    expect(otherMachine(program('a'))).toBeUndefined();
    expect(
      otherMachine(program('a', { machine: { pmdOrder: 9, pageBytes: 4096 } })),
    ).toBeUndefined();
    expect(otherMachine(program('a', { machine: { pmdOrder: 2 } }))).toContain('4 pages');
    expect(otherMachine(program('a', { machine: { pageBytes: 64 } }))).toContain('64 bytes');
    expect(otherMachine(program('a', { machine: { ramPages: 64 } }))).toContain('memory');
  });
});

describe('asking', () => {
  async function ask(programs: Program[], guests: Guest[], crashes = 10) {
    const answers: [string, Answer][] = [];
    const left = [...guests];
    const asked = await askAll(programs, async () => left.shift() as Guest, {
      crashes,
      onAnswer: (answer, { name }) => answers.push([name, answer]),
    });
    return { asked, answers };
  }

  it('gives answers in order, and is some programs ahead, not all', async () => {
    const guest = agent(({ name }) => ok(name));
    const { asked, answers } = await ask(many(100), [guest]);
    expect(asked).toEqual({ starts: 1, crashes: 0 });
    expect(answers.map(([name]) => name)).toEqual(many(100).map(({ name }) => name));
    const silent = agent(() => ({ took: 0 }));
    void ask(many(100), [silent]).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
    expect(silent.lines).toHaveLength(32);
    await silent.close();
  });

  it('goes on behind the program that ended a kernel, with what the console said of it', async () => {
    const console = 'WARNING: y at f+0x1/0x2\nkernel BUG at mm/x.c:1!\nRIP: 0010:g+0x1/0x2\n';
    const dies = agent(({ name }) => (name === 'p3' ? null : ok(name)), console);
    const { asked, answers } = await ask(many(6), [dies, agent(({ name }) => ok(name))]);
    expect(asked).toEqual({ starts: 2, crashes: 1 });
    expect(
      answers.map(([name, { results, stopped }]) => [name, results.length, stopped?.how]),
    ).toEqual([
      ['p0', 1, undefined],
      ['p1', 1, undefined],
      ['p2', 1, undefined],
      ['p3', 0, 'it ended'],
      ['p4', 1, undefined],
      ['p5', 1, undefined],
    ]);
    expect(answers[3][1].reports).toEqual([
      { title: 'WARNING: y at f', frames: [] },
      { title: 'kernel BUG at mm/x.c:1!', frames: ['g'] },
    ]);
  });

  it('starts no more kernels after so many that ended', async () => {
    const dies = () => agent(() => null);
    const { asked, answers } = await ask(many(5), [dies(), dies()], 1);
    expect(asked).toEqual({ starts: 2, crashes: 2 });
    expect(answers.map(([, { skipped, stopped }]) => skipped ?? stopped?.how)).toEqual([
      'it ended',
      'it ended',
      ...Array(3).fill('not run: too many kernels have ended'),
    ]);
  });

  it('starts no kernel for programs that none can run', async () => {
    const small = program('small', { machine: { pmdOrder: 2 } });
    const none = await ask([small], []);
    expect(none.asked.starts).toBe(0);
    expect(none.answers[0][1].skipped).toContain('huge pages of 4 pages');
    const { answers } = await ask(
      [small, program('a'), small, program('b')],
      [agent(({ name }) => ok(name))],
    );
    expect(answers.map(([name, { results }]) => [name, results.length])).toEqual([
      ['small', 0],
      ['a', 1],
      ['small', 0],
      ['b', 1],
    ]);
  });

  it('an agent that says why it ends is quoted', async () => {
    const stuck = agent(() => ({ ended: 'a process cannot be killed' }));
    const { answers } = await ask(many(1), [stuck]);
    expect(answers[0][1].stopped).toEqual({ how: 'a process cannot be killed' });
  });
});

describe('a line that loses what is not read in time', () => {
  it('gets no more than 8192 bytes ahead of what was taken', async () => {
    const [input, output] = [new PassThrough({ highWaterMark: 1 << 20 }), new PassThrough()];
    const talk = new Talk(output, input, { seconds: 60, patience: 60 }, true);
    const long = program('long', {
      ops: Array.from({ length: 600 }, () => ({ op: 'cpu_read', buf: 0, page: 0, pages: 1 })),
    });
    const answer = talk.ask(long);
    const whole = programLine(long, 60);
    expect(whole.length).toBeGreaterThan(3 * 8192);
    let got = '';
    const sizes: number[] = [];
    for (let took = 0; got.length < whole.length; took += 4096) {
      if (took > 0) output.write(`{"took":${took}}\n`);
      await new Promise((resolve) => setImmediate(resolve));
      got += input.read() ?? '';
      sizes.push(got.length - took);
    }
    expect(got).toBe(whole);
    expect(Math.max(...sizes)).toBe(8192);
    output.write(`${JSON.stringify(ok('long'))}\n`);
    expect((await answer).results).toEqual([{ ret: 'ok' }]);
    talk.end(new AgentGone('over'));
    await expect(talk.ask(long)).rejects.toThrow('over');
  });

  it('a sign of life is waited for as long as for an answer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const output = new PassThrough();
      const talk = new Talk(output, new PassThrough(), { seconds: 60, patience: 60 });
      const answer = talk.ask(program('a'));
      for (let sign = 0; sign < 5; sign++) {
        vi.advanceTimersByTime(100_000);
        output.write('{"round":1}\n');
        await new Promise((resolve) => setImmediate(resolve));
      }
      output.write(`${JSON.stringify(ok('a'))}\n`);
      expect((await answer).results).toEqual([{ ret: 'ok' }]);
      const late = talk.ask(program('b'));
      vi.advanceTimersByTime(120_001);
      await expect(late).rejects.toThrow('the kernel is silent');
    } finally {
      vi.useRealTimers();
    }
  });

  it('a kernel that says nothing for too long is given up', async () => {
    const talk = new Talk(new PassThrough(), new PassThrough(), { seconds: 0.01, patience: 0.01 });
    await expect(talk.ask(program('a'))).rejects.toThrow('the kernel is silent');
  });
});
