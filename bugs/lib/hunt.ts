/**
 * Searches one scenario for what it must, or must not, find, with one strategy after the other.
 *
 * Usage: node hunt.js ENTRY.json WALK SECONDS: prints one JSON object.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  type CheckResult,
  check,
  Exhaustive,
  type Found,
  Pct,
  programScenario,
  RandomWalk,
  type Scenario,
  type SetupOptions,
  type Strategy,
  shrinkSchedule,
  Turns,
} from '../../src/checker/index.ts';
import type { Walk } from '../../src/program/schema.ts';
import { type BugEntry, parseEntry } from './entry.ts';

/** What came of it. */
export interface Hunt {
  found: {
    title: string;
    invariant: string;
    function: string;
    steps: number;
    preemptions: number;
  } | null;
  /** Whether everything was tried, within what one strategy has. */
  complete: boolean;
  /** The strategy that found it, or was the last. */
  strategy: string;
  schedules: number;
  steps: number;
  seconds: number;
}

interface Try {
  name: string;
  /** Of the time that there is. */
  share: number;
  make: (tasks: number) => Strategy;
}

const SEED = 1;

function tries(entry: BugEntry): Try[] {
  const { faults = 0, turns = false } = entry.search;
  const exhaustive = (share: number): Try => ({
    name: 'exhaustive',
    share,
    make: (tasks) => new Exhaustive(tasks, { faults }),
  });
  const bounded: Try = {
    name: 'two preemptions',
    share: 0.5,
    make: (tasks) => new Exhaustive(tasks, { faults, preemptions: 2 }),
  };
  const byTurns: Try = { name: 'turns', share: 0.3, make: () => new Turns({ seed: SEED, faults }) };
  const pct: Try = { name: 'pct', share: 0.5, make: () => new Pct({ seed: SEED, faults }) };
  const random: Try = {
    name: 'random',
    share: 1,
    make: () => new RandomWalk({ seed: SEED, faults }),
  };
  return turns ? [byTurns, exhaustive(0.3), pct, random] : [exhaustive(0.3), bounded, pct, random];
}

/** Of the time of a search: what shrinking may take. */
const SHRINK = { schedules: 500, time: 10_000 };

/** The simplest schedule found that ends in the same. One without end stays as it is. */
function shrink(scenario: Scenario, options: SetupOptions, found: Found): Omit<Found, 'finding'> {
  if (found.finding.invariant === 'livelock') return found;
  const { title } = found;
  return { ...shrinkSchedule(scenario, options, found, SHRINK), title };
}

async function scenarioOf(entry: BugEntry): Promise<Scenario> {
  if (entry.program) return programScenario(entry.program) as unknown as Scenario;
  const name = (entry.scenario as string).replace(/\.ts$/, '.js');
  const module = await import(new URL(`../${name}`, import.meta.url).href);
  return module.default as Scenario;
}

/** Searches until something is found, everything was tried, or the time is over. */
export async function hunt(entry: BugEntry, walk: Walk, seconds: number): Promise<Hunt> {
  const scenario = await scenarioOf(entry);
  const start = Date.now();
  const result: Hunt = {
    found: null,
    complete: false,
    strategy: '',
    schedules: 0,
    steps: 0,
    seconds: 0,
  };
  for (const { name, share, make } of tries(entry)) {
    const left = seconds * 1000 - (Date.now() - start);
    if (left <= 0) break;
    const { ledger = false } = entry.search;
    const options = { walk, ledger };
    const tried: CheckResult = check(scenario, {
      ...options,
      strategy: make,
      time: share * left,
    });
    result.strategy = name;
    result.schedules += tried.schedules;
    result.steps += tried.steps;
    result.complete = tried.complete;
    const [first] = tried.found;
    if (first) {
      result.seconds = (Date.now() - start) / 1000;
      const { choices, preemptions } = shrink(scenario, options, first);
      const { title, finding } = first;
      const { invariant } = finding;
      const steps = choices.length;
      result.found = { title, invariant, function: finding.function, steps, preemptions };
      return result;
    }
    if (tried.complete && name === 'exhaustive') break;
  }
  result.seconds = (Date.now() - start) / 1000;
  return result;
}

const [file, walk, seconds] = process.argv.slice(2);
if (file && walk && seconds) {
  const entry = parseEntry(JSON.parse(readFileSync(file, 'utf8')), basename(file, '.json'));
  console.log(JSON.stringify(await hunt(entry, walk as Walk, Number(seconds))));
}
