/** Reads docs/as-posted.md: what it says of each mistake, and how that is found. */
import { basename } from 'node:path';
import { STRATEGIES } from '../src/checker/light.ts';
import type { Plan } from '../src/checker/plan.ts';

export interface Posted {
  readonly heading: string;
  /** The function in the patch. */
  readonly where: string;
  /** The scenario's file, without its folder and ending. */
  readonly scenario: string;
  /** The finding's. */
  readonly title: string;
  /** How it is searched for. */
  readonly plan: Partial<Plan>;
}

/** What options ask for; the walk is the same for all. */
function planOf(options: readonly string[]): Partial<Plan> {
  const plan: Partial<Plan> = {};
  for (let i = 0; i < options.length; i += 2) {
    const [option, value] = [options[i], options[i + 1]];
    const strategy = STRATEGIES.find((one) => one === value);
    if (option === '--strategy' && strategy) plan.strategy = strategy;
    else if (option === '--schedules') plan.schedules = Number(value);
    else if (option === '--breaks') plan.breaks = Number(value);
    else if (!['--walk', '--findings'].includes(option)) {
      throw new Error(`docs/as-posted.md: ${option} ${value}`);
    }
  }
  return plan;
}

export function readPosted(page: string): Posted[] {
  const sections = page.split(/^## (?=\d+\. )/m).slice(1);
  const where = [...page.matchAll(/^\| \[\d+\]\([^)]*\) \| `(\w+\(\))`/gm)].map(([, name]) => name);
  return sections.map((section, i) => {
    const line = /^ {4}npx softleaf check (\S+) (.*)$/m.exec(section);
    const title = /^Found as: `(.*)`$/m.exec(section)?.[1];
    const heading = /^\d+\. (.*)$/m.exec(section)?.[1];
    if (!line || !title || !heading || !where[i]) throw new Error(`docs/as-posted.md: ${i + 1}`);
    const scenario = basename(line[1]).replace(/\.\w+$/, '');
    return { heading, where: where[i], scenario, title, plan: planOf(line[2].split(' ')) };
  });
}
