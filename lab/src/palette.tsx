/** The command palette: everything that one can do, open, go to or select, found by some of its letters. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { itemsOf } from '../../src/recording/index.ts';
import { Dialog } from './dialog.tsx';
import { best } from './fuzzy.ts';
import { GALLERY } from './gallery.ts';
import { commands } from './keys.ts';
import { go, goTask } from './store/going.ts';
import { openProgram } from './store/opening.ts';
import { lanes, moment } from './store/showing.ts';
import { recording, setSearching, setSelected, step } from './store/state.ts';

/** Something that can be chosen. */
interface Choice {
  readonly kind: 'command' | 'program' | 'task' | 'function' | 'item';
  readonly name: string;
  readonly keys?: readonly string[];
  run(): void;
}

const MOST = 50;

const KINDS: Record<Choice['kind'], string> = {
  command: 'command',
  program: 'open',
  task: 'task',
  function: 'function',
  item: 'select',
};

function commandChoices(): Choice[] {
  return commands().flatMap(({ what, keys, run }) => {
    // a command of several keys does another thing by each; Escape is of no use here
    const [first = ''] = keys ?? [];
    if (first === 'Escape' || first === '1' || first === 'Ctrl K') return [];
    return [{ kind: 'command', name: what, ...(keys ? { keys } : {}), run: () => run(first) }];
  });
}

/** The next time that a function is entered, seen from the step where one stands; else the first. */
function goFunction(entered: readonly number[]): void {
  const at = entered.find((from) => from >= step.value) ?? entered[0];
  go(at + 1);
}

function functions(): Choice[] {
  const entered = new Map<string, number[]>();
  for (const { rows } of lanes.value) {
    for (const { name, from } of rows.flat()) {
      const all = entered.get(name);
      if (all) all.push(from);
      else entered.set(name, [from]);
    }
  }
  return [...entered].map(([name, all]) => ({
    kind: 'function',
    name: `${name}()`,
    run: () => goFunction(all.sort((a, b) => a - b)),
  }));
}

function items(): Choice[] {
  const state = moment.value?.state;
  if (!state) return [];
  return [...itemsOf(state).values()].map(({ key, name }) => ({
    kind: 'item',
    name: name.replace(/^the /, ''),
    run: () => {
      setSelected(key);
      // what is selected comes into sight
      requestAnimationFrame(() => {
        const shown = document.querySelector(`main [data-key="${CSS.escape(key)}"]`);
        shown?.scrollIntoView({ block: 'nearest' });
      });
    },
  }));
}

function choices(): Choice[] {
  return [
    ...commandChoices(),
    ...GALLERY.map(
      ({ name }): Choice => ({ kind: 'program', name, run: () => void openProgram(name) }),
    ),
    ...(recording.value?.tasks ?? []).map(
      (name, task): Choice => ({
        kind: 'task',
        name: `${name}: its next step`,
        run: () => goTask(task, 1),
      }),
    ),
    ...functions(),
    ...items(),
  ];
}

/** A name with the letters that were looked for. */
function Marked({ name, at }: { name: string; at: readonly number[] }) {
  const found = new Set(at);
  return (
    <span class="name">
      {[...name].map((c, i) => (found.has(i) ? <mark key={`${i} ${c}`}>{c}</mark> : c))}
    </span>
  );
}

const leave = (): void => {
  setSearching(false);
};

export function Palette() {
  const all = useMemo(choices, []);
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const found = useMemo(() => best(query, all, MOST), [query, all]);
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at, found]);
  const choose = (i: number): void => {
    const chosen = found[i]?.item;
    if (!chosen) return;
    leave();
    chosen.run();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const last = found.length - 1;
    const to: Record<string, number> = {
      ArrowDown: at >= last ? 0 : at + 1,
      ArrowUp: at <= 0 ? last : at - 1,
      PageDown: Math.min(last, at + 10),
      PageUp: Math.max(0, at - 10),
    };
    if (event.key === 'Enter') choose(at);
    else if (event.key in to) setAt(to[event.key]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog label="Command palette" kind="wide top" onClose={leave}>
      <input
        class="query"
        type="text"
        role="combobox"
        aria-label="Find a command, a program, a task, a function or an item"
        aria-expanded="true"
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={found.length > 0 ? `found-${at}` : undefined}
        placeholder="a command, a program, a function(), a page …"
        autocomplete="off"
        spellcheck={false}
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div ref={list} id="found" class="found" role="listbox" aria-label="Found">
        {found.map(({ item, at: marks }, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the text field's
          <div
            key={`${item.kind} ${item.name}`}
            id={`found-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => choose(i)}
          >
            <em>{KINDS[item.kind]}</em> <Marked name={item.name} at={marks} />
            <span class="by">
              {item.keys?.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </span>
          </div>
        ))}
      </div>
      <p class="soft" role="status">
        {found.length === 0 ? 'Nothing has these letters in this order.' : null}
        {found.length === MOST ? `The best ${MOST}; more letters tell more.` : null}
        {found.length > 0 && found.length < MOST ? `${found.length} found.` : null}
      </p>
    </Dialog>
  );
}
