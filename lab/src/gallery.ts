/** Programs that ship: the examples and the scenarios, each loaded when it is opened. */
const examples = import.meta.glob<string>('../../examples/*.json', {
  query: '?raw',
  import: 'default',
});
const scenarios = import.meta.glob<string>('../../scenarios/*.json', {
  query: '?raw',
  import: 'default',
});

export interface Entry {
  /** Names it in links. */
  readonly name: string;
  readonly group: 'Examples, one operation after the other' | 'Scenarios, tasks at the same time';
  load(): Promise<string>;
}

const nameOf = (path: string): string => path.replace(/^.*\//, '').replace(/\.json$/, '');

function entries(files: Record<string, () => Promise<string>>, group: Entry['group']): Entry[] {
  return Object.entries(files).map(([path, load]) => ({ name: nameOf(path), group, load }));
}

const FIRST = 'migrate-on-fault';
const all = [
  ...entries(examples, 'Examples, one operation after the other'),
  ...entries(scenarios, 'Scenarios, tasks at the same time'),
];

/** Every program; the first one is what a newcomer sees. */
export const GALLERY: readonly Entry[] = [
  ...all.filter(({ name }) => name === FIRST),
  ...all.filter(({ name }) => name !== FIRST),
];
