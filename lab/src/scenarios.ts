/** Scenarios that are modules and ship, each loaded when it is opened or checked. */
import { asScenario, type Scenario } from '../../src/checker/index.ts';

const modules = import.meta.glob<unknown>(
  ['../../scenarios/*.mjs', '../../examples/scenarios/*.mjs'],
  { import: 'default' },
);

/** The name of a file without its folder and what kind it is of. */
export const nameOf = (path: string): string => path.replace(/^.*\/|\.\w+$/g, '');

export const MODULES: ReadonlyMap<string, () => Promise<Scenario>> = new Map(
  Object.entries(modules).map(([path, load]) => [
    nameOf(path),
    async () => asScenario(await load(), path),
  ]),
);
