/** Programs and scenarios that ship, each loaded when it is opened; and the mistakes of the posted patch. */

import posted from 'virtual:as-posted';
import { DEFAULT_PLAN, type Plan, type Scenario, type Walk } from '../../src/checker/index.ts';
import { MISTAKES } from './posted.ts';
import { MODULES, nameOf } from './scenarios.ts';

const examples = import.meta.glob<string>('../../examples/*.json', {
  query: '?raw',
  import: 'default',
});
const scenarios = import.meta.glob<string>(
  ['../../scenarios/*.{json,mjs}', '../../examples/scenarios/*.mjs'],
  { query: '?raw', import: 'default' },
);

export interface Entry {
  /** Names it in links. */
  readonly name: string;
  /** What it is called in the list. */
  readonly title: string;
  readonly group:
    | 'Mistakes in the posted patch'
    | 'Examples, one operation after the other'
    | 'Scenarios, tasks at the same time';
  /** Its text: a program, or the JavaScript of a scenario. */
  load(): Promise<string>;
  /** What it is, where it is no program, and the module that it is of. */
  scenario?(): Promise<Scenario>;
  readonly module?: string;
  /** The walk that it is opened with; none: the one that is chosen. */
  readonly walk?: Walk;
  /** It is checked when it is opened, and the first finding is shown that is none of `known`. */
  readonly plan?: Plan;
  readonly known?: readonly string[];
  /** What there is to see, in short. */
  readonly about?: { readonly title: string; readonly where: string; readonly text: string };
}

function entries(files: Record<string, () => Promise<string>>, group: Entry['group']): Entry[] {
  return Object.entries(files).map(([path, load]) => {
    const name = nameOf(path);
    const scenario = MODULES.get(name);
    return { name, title: name, group, load, ...(scenario ? { scenario, module: name } : {}) };
  });
}

const FIRST = 'migrate-on-fault';
const all = [
  ...entries(examples, 'Examples, one operation after the other'),
  ...entries(scenarios, 'Scenarios, tasks at the same time'),
];

const mistakes = posted.map(({ heading, where, scenario, title, plan }, i): Entry => {
  const of = all.find(({ name }) => name === scenario);
  if (!of) throw new Error(`docs/as-posted.md: no scenario ${scenario}`);
  return {
    ...of,
    name: `posted-${i + 1}`,
    title: `${i + 1}. ${heading}`,
    group: 'Mistakes in the posted patch',
    walk: 'as-posted',
    // those that are known count
    plan: { ...DEFAULT_PLAN, ...plan, findings: posted.length },
    known: posted.map((other) => other.title).filter((other) => other !== title),
    about: { title: heading, where, text: MISTAKES[i] },
  };
});

/** Every program; the first one is what a newcomer sees. */
export const GALLERY: readonly Entry[] = [
  ...all.filter(({ name }) => name === FIRST),
  ...all.filter(({ group, name }) => group.startsWith('Examples') && name !== FIRST),
  ...mistakes,
  ...all.filter(({ group }) => group.startsWith('Scenarios')),
];
