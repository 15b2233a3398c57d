/** What a commit's message must have (scripts/history.mjs). */
import { describe, expect, it } from 'vitest';
import { wrongWith } from '../scripts/history.mjs';

const GOOD =
  'Checker: a strategy is a file and a row\n\nThey stood in four places that could differ.\n';

describe('a message', () => {
  it('has a room, a short subject and a body', () => {
    expect(wrongWith(GOOD)).toEqual([]);
    expect(wrongWith(`${GOOD}# Please enter the commit message\n`)).toEqual([]);
  });

  it.each([
    ['a long subject', GOOD.replace('row', `row${' and more'.repeat(5)}`), /84 characters/],
    ['no room', GOOD.replace('Checker: a', 'A'), /room/],
    ['a room in small letters', GOOD.replace('Checker', 'checker'), /room/],
    ['no body', GOOD.split('\n')[0], /no body/],
    ['comments only', `${GOOD.split('\n')[0]}\n\n# On branch main\n`, /no body/],
    ['no gap', GOOD.replace('\n\n', '\n'), /no empty line/],
  ])('is refused with %s', (_, message, why) => {
    expect(wrongWith(message).join('; ')).toMatch(why);
  });

  it('may be one of git’s own', () => {
    expect(wrongWith("Merge branch 'x'\n")).toEqual([]);
    expect(wrongWith('fixup! Checker: a\n')).toEqual([]);
  });
});
