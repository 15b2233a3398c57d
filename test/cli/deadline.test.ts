/** --time is the time of the whole run: to begin, to search, and to make small what was found. */
import { expect, it } from 'vitest';
import { EFFORT } from '../../src/checker/index.ts';
import { Deadline } from '../../src/cli/check/deadline.ts';

/** A clock that a test sets, in milliseconds. */
function clock(): { now: () => number; at: number } {
  const time = { at: 0, now: () => time.at };
  return time;
}

it('what was needed to begin is not there to search', () => {
  const time = clock();
  const prompt = new Deadline(60, 0, time.now);
  time.at = 10_000;
  const late = new Deadline(60, 0, time.now);
  expect(late.search).toBe(prompt.search - 10_000);
});

it('the search leaves time for what comes after it', () => {
  const time = clock();
  for (const seconds of [1, 10, 60, 600]) {
    const deadline = new Deadline(seconds, 0, time.now);
    expect(deadline.search).toBeLessThan(seconds * 1000);
    expect(deadline.search).toBeGreaterThan(0);
  }
});

it('a finding is made small in a part of what is left, and not at all when nothing is', () => {
  const time = clock();
  const deadline = new Deadline(10, 0, time.now);
  for (time.at = 0; time.at < 10_000; time.at += 500) {
    expect(time.at + deadline.effort().time).toBeLessThan(10_000);
  }
  time.at = 10_000;
  expect(deadline.effort().time).toBe(0);
  time.at = 99_000;
  expect(deadline.effort().time).toBe(0);
});

it('one that took all its time to begin is searched a little all the same', () => {
  const time = clock();
  time.at = 50_000;
  expect(new Deadline(10, 0, time.now).search).toBe(2000);
});

it('without a bound nothing is cut', () => {
  const deadline = new Deadline(undefined, 0, clock().now);
  expect(deadline.search).toBe(Number.POSITIVE_INFINITY);
  expect(deadline.effort()).toEqual(EFFORT);
});
