/** What a watch looks at, as objects that steps depend on each other by. */
import { describe, expect, it } from 'vitest';
import { Footprint, LookKind } from '../../src/checker/footprint.ts';
import { Looks } from '../../src/checker/watch/looks.ts';
import { Machine, ObjectKind, Role, StepKind } from '../../src/machine/index.ts';
import { numbers } from '../support/micro.ts';

const k = new Machine();

/** What one step had to do with beside what it names. */
function footprint(look: (looks: Looks) => void): Footprint {
  const looks = new Looks();
  looks.footprint = new Footprint().of(k.step(StepKind.Shared, ObjectKind.Mm, 1, Role.Read));
  look(looks);
  return looks.footprint;
}

describe('ranges', () => {
  it('meet where a change and a look have a page in common, and only there', () => {
    const random = numbers(3);
    const range = (): [number, number] => {
      const start = random(90);
      return [start, start + 1 + random(random(2) ? 70 : 3)];
    };
    let together = 0;
    for (let i = 0; i < 2000; i++) {
      const [a, b] = [range(), range()];
      const common = a[0] < b[1] && b[0] < a[1];
      const looked = footprint((looks) => looks.read(LookKind.Data, 1, ...a)).looked();
      const changed = footprint((looks) => looks.change(LookKind.Data, 1, ...b));
      expect(changed.meets(looked), `${a} ${b}`).toBe(common);
      if (common) together++;
    }
    expect(together).toBeGreaterThan(200);
    expect(together).toBeLessThan(1800);
  });

  it('are everything where they are large', () => {
    const looked = footprint((looks) => looks.read(LookKind.Data, 1, 5)).looked();
    expect(footprint((looks) => looks.changeAll(LookKind.Data, 1)).meets(looked)).toBe(true);
    expect(footprint((looks) => looks.changeAll(LookKind.Data, 2)).meets(looked)).toBe(false);
    const all = footprint((looks) => looks.read(LookKind.Data, 1, 0, 2 ** 30)).looked();
    expect(footprint((looks) => looks.change(LookKind.Data, 1, 7)).meets(all)).toBe(true);
  });

  it('of one sort and space do not meet others, looks do not meet looks, nor changes changes', () => {
    const looked = footprint((looks) => looks.read(LookKind.Data, 1, 5)).looked();
    const changed = footprint((looks) => looks.change(LookKind.Data, 1, 5)).looked();
    expect(footprint((looks) => looks.change(LookKind.Free, 1, 5)).meets(looked)).toBe(false);
    expect(footprint((looks) => looks.change(LookKind.Data, 2, 5)).meets(looked)).toBe(false);
    expect(footprint((looks) => looks.read(LookKind.Data, 1, 5)).meets(looked)).toBe(false);
    expect(footprint((looks) => looks.change(LookKind.Data, 1, 5)).meets(changed)).toBe(false);
  });
});

it('what a step names is not what was looked at', () => {
  const step = k.step(StepKind.Shared, ObjectKind.Mm, 7, Role.Write);
  const mine = new Footprint().of(step);
  mine.add(ObjectKind.Lock, 3, Role.TryAcquire);
  mine.add(ObjectKind.Lock, 3, Role.TryAcquire);
  expect(mine.looked()).toEqual([ObjectKind.Lock, 3, Role.TryAcquire]);
  expect([mine.named, mine.count]).toEqual([1, 2]);
});
