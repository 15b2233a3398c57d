import { describe, expect, it } from 'vitest';
import { type Done, type Thread, ThreadGone, Threads } from '../../src/checker/index.ts';

/** A thread whose work ends when the test says so. */
class Slow implements Thread<string, string> {
  static readonly all: Slow[] = [];
  work = '';
  terminated = false;
  private end: (done: Done<string>) => void = () => {};
  private die: (error: Error) => void = () => {};

  constructor() {
    Slow.all.push(this);
  }
  perform(work: string): Promise<Done<string>> {
    this.work = work;
    return new Promise((resolve, reject) => {
      this.end = resolve;
      this.die = reject;
    });
  }
  terminate(): void {
    this.terminated = true;
  }
  async ends(done: Done<string> = { answer: `${this.work} done` }): Promise<void> {
    this.work = '';
    this.end(done);
    await settled();
  }
  async dies(error = new Error('gone')): Promise<void> {
    this.work = '';
    this.die(error);
    await settled();
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function threads(size: number): Threads<string, string> {
  Slow.all.length = 0;
  return new Threads<string, string>(size, () => new Slow());
}
const doing = (): string[] => Slow.all.map(({ work }) => work);

describe('threads', () => {
  it('are made when there is work for them, and take the next when they are done', async () => {
    const pool = threads(2);
    expect(Slow.all).toHaveLength(0);
    const answers = ['a', 'b', 'c', 'd'].map((work) => pool.add(work));
    expect(doing()).toEqual(['a', 'b']);
    await Slow.all[1].ends();
    expect(await answers[1]).toBe('b done');
    expect(doing()).toEqual(['a', 'c']);
    await Slow.all[0].ends();
    expect(doing()).toEqual(['d', 'c']);
    await Slow.all[0].ends();
    await Slow.all[1].ends();
    expect(await Promise.all(answers)).toEqual(['a done', 'b done', 'c done', 'd done']);
    void pool.add('e');
    expect(Slow.all).toHaveLength(2);
  });

  it('do before all that waits what comes first', async () => {
    const pool = threads(1);
    for (const work of ['a', 'b']) void pool.add(work);
    void pool.add('urgent', true);
    await Slow.all[0].ends();
    expect(doing()).toEqual(['urgent']);
  });

  it('do not begin what is dropped, and end what is under way', async () => {
    const pool = threads(1);
    const answers = ['a', 'b1', 'c', 'b2'].map((work) => pool.add(work));
    pool.drop((work) => work.startsWith('b'));
    expect(await answers[1]).toBe(null);
    expect(await answers[3]).toBe(null);
    await Slow.all[0].ends();
    expect(await answers[0]).toBe('a done');
    expect(doing()).toEqual(['c']);
  });

  it('go on after work that fails', async () => {
    const pool = threads(1);
    const failing = pool.add('a').catch((error: Error) => error.message);
    const next = pool.add('b');
    await Slow.all[0].ends({ error: new Error('no such scenario') });
    expect(await failing).toBe('no such scenario');
    await Slow.all[0].ends();
    expect(await next).toBe('b done');
  });

  it('get no more work when they are gone: another is made in their place', async () => {
    const pool = threads(2);
    const failing = pool.add('a').catch((error: Error) => error.message);
    void pool.add('b');
    const next = pool.add('c');
    await Slow.all[0].dies();
    expect(await failing).toBe('gone');
    expect(doing()).toEqual(['', 'b', 'c']);
    await Slow.all[2].ends();
    expect(await next).toBe('c done');
    void pool.add('d');
    expect(doing()).toEqual(['', 'b', 'd']);
  });

  it('give up what they do when they are ended: nothing is wrong with it', async () => {
    const pool = threads(1);
    const given = pool.add('a');
    void pool.add('b');
    await Slow.all[0].dies(new ThreadGone('stopped'));
    expect(await given).toBeNull();
    expect(doing()).toEqual(['', 'b']);
  });

  it('give all up at the end', async () => {
    const pool = threads(1);
    const answers = ['a', 'b'].map((work) => pool.add(work));
    await pool.end();
    expect(await Promise.all(answers)).toEqual([null, null]);
    expect(Slow.all[0].terminated).toBe(true);
    // an answer that comes too late is nobody's
    await Slow.all[0].ends();
    expect(doing()).toEqual(['']);
  });
});
