import { parse } from 'acorn';
import { describe, expect, it } from 'vitest';
import { KINDS, mutantsOf, sampled, withMutants } from '../scripts/lib/mutate.mjs';

interface Mutant {
  i: number;
  function: string;
  kind: string;
  was: string;
  now: string;
}

/** Each mistake of one kind in a function, as the text that it leaves. */
function madeIn(code: string, kind: string): string[] {
  const all = mutantsOf(code) as Mutant[];
  return all.filter((one) => one.kind === kind).map(({ was, now }) => `${was} → ${now}`);
}

/** What a function comes to with a mistake in it. */
function run(code: string, id: number, chosen: object[], call: string): unknown {
  const text = withMutants(code, chosen, '');
  const rounds = { turns: 0 };
  const body = `${text}; return ${call};`;
  return new Function('$on', '$round', '$other', body)(
    id,
    () => {
      rounds.turns++;
    },
    { pteDirty: () => 'other' },
  );
}

const numbered = (code: string): (Mutant & { id: number })[] =>
  (mutantsOf(code) as Mutant[]).map((one, i) => ({ ...one, id: i + 1 }));

describe('mistakes that are put in', () => {
  it('drops and negates guards', () => {
    const code = 'function f(a, b) { if (a && b) return 1; return 2; }';
    expect(madeIn(code, 'guard negated')).toEqual(['a && b → !(a && b)']);
    expect(madeIn(code, 'guard dropped')).toEqual([
      'a && b → false',
      'a && b → true && b',
      'a && b → a && true',
    ]);
  });

  it('leaves steps, warnings and those who watch alone', () => {
    const code = `function* f(k, a) {
      if (k.stepping) yield k.acquire(a);
      if (a < 3) k.warn('small');
      k.monitor.onPage(a + 1);
      k.counters.walked += a + 1;
    }`;
    expect(mutantsOf(code)).toEqual([]);
  });

  it('drops what is done in twos, with its step, and moves it by one', () => {
    const code = `function* f(k, ptl, p) {
      if (k.stepping) yield k.acquire(ptl);
      k.lock(ptl);
      const pte = read(p);
      k.unlock(ptl);
      return pte;
    }`;
    expect(madeIn(code, 'call dropped')).toEqual(['k.lock(ptl); → ', 'k.unlock(ptl); → ']);
    expect(madeIn(code, 'call moved')).toEqual([
      'k.lock(ptl); ⇄ const pte = read(p); → the other way round',
      'const pte = read(p); ⇄ k.unlock(ptl); → one step earlier',
    ]);
  });

  it('exchanges statements, but none with what it uses', () => {
    const code = 'function f(a) { one(a); two(a); const c = three(a); four(c); return c; }';
    expect(madeIn(code, 'statements exchanged')).toEqual([
      'one(a); ⇄ two(a); → the other way round',
      'two(a); ⇄ const c = three(a); → the other way round',
    ]);
  });

  it('takes the accessor of another kind, swallows errors, is off by one', () => {
    const code = `function f(pte, n) {
      for (let i = 0; i < n; i++) if (pteYoung(pte)) return -EBUSY;
      const ret = g(pte);
      return ret;
    }`;
    expect(madeIn(code, 'other accessor')).toEqual(['pteYoung → isMigrationYoung']);
    expect(madeIn(code, 'error swallowed')).toEqual([
      'return -EBUSY; → return 0;',
      'ret = g(pte) → ret = 0 after it',
    ]);
    expect(madeIn(code, 'bound off by one')).toEqual(['i < n → i <= n']);
  });

  it('makes them one at a time, and none as it is', () => {
    const code = `function f(log, n) {
      lock(log);
      log.push('a');
      if (n > 3) log.push('many');
      unlock(log);
      return log.join();
      function lock(l) { l.push('lock'); }
      function unlock(l) { l.push('unlock'); }
    }`;
    const all = numbered(code);
    const came = [0, ...all.map(({ id }) => id)].map((id) => run(code, id, all, 'f([], 4)'));
    expect(came[0]).toBe('lock,a,many,unlock');
    const named = all.map(({ kind, was, now }, i) => [kind, was.slice(0, 12), now, came[i + 1]]);
    expect(named).toContainEqual(['call dropped', 'lock(log);', '', 'a,many,unlock']);
    expect(named).toContainEqual(['guard dropped', 'n > 3', 'true', 'lock,a,many,unlock']);
    expect(named).toContainEqual(['guard negated', 'n > 3', '!(n > 3)', 'lock,a,unlock']);
    expect(named.map(([, , , text]) => text)).toContain('a,lock,many,unlock');
    expect(named.map(([, , , text]) => text)).toContain('lock,a,unlock,many');
  });

  it('puts those of one place into each other, and notes who comes there', () => {
    const code = 'function f(a, b) { if (a < 3 && b) { put(a); g(b); } while (a > 4) a--; }';
    const all = numbered(code);
    expect(all.length).toBe(8);
    for (const notes of [false, true]) {
      const text = withMutants(code, all, '', notes);
      expect(() => parse(text, { ecmaVersion: 'latest', sourceType: 'module' })).not.toThrow();
      for (const { id } of all) {
        expect(text).toContain(notes ? `$hits[${id}] = 1` : `$on === ${id}`.slice(0, 3));
      }
      expect(text).toContain('$round()');
    }
  });

  it('are drawn evenly, the same for the same seed', () => {
    const all = [...'abcdefghij'].flatMap((name, i) =>
      Array.from({ length: i + 1 }, (_, n) => ({
        file: 'f',
        function: name,
        kind: KINDS[n % KINDS.length],
      })),
    );
    const some = sampled(all, 15, 1) as Mutant[];
    expect(sampled(all, 15, 1)).toEqual(some);
    expect(sampled(all, 15, 2)).not.toEqual(some);
    expect(some).toHaveLength(15);
    expect(new Set(some.map((one) => one.function)).size).toBe(10);
    const most = Math.max(
      ...[...'abcdefghij'].map((name) => some.filter((one) => one.function === name).length),
    );
    expect(most).toBe(2);
  });
});
