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
  type Strategy,
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
  const byTurns: Try = { name: 'turns', share: 0.3, make: () => new Turns({ seed: SEED, faults }) };
  const pct: Try = { name: 'pct', share: 0.4, make: () => new Pct({ seed: SEED, faults }) };
  const random: Try = {
    name: 'random',
    share: 1,
    make: () => new RandomWalk({ seed: SEED, faults }),
  };
  return turns ? [byTurns, exhaustive(0.3), pct, random] : [exhaustive(0.4), pct, random];
}

/** Here a schedule is made as short as it can be. Not built yet: as it was found. */
function shrink(_scenario: Scenario, found: Found): Found {
  return found;
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
    const tried: CheckResult = check(scenario, {
      walk,
      ledger,
      strategy: make,
      time: share * left,
    });
    result.strategy = name;
    result.schedules += tried.schedules;
    result.steps += tried.steps;
    result.complete = tried.complete;
    const [first] = tried.found;
    if (first) {
      const { title, finding, choices, preemptions } = shrink(scenario, first);
      const { invariant } = finding;
      result.found = {
        title,
        invariant,
        function: finding.function,
        steps: choices.length,
        preemptions,
      };
      break;
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
