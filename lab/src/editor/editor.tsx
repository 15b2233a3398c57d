/** The program as text: what may stand where is offered, and a mistake is marked as one types. */
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, indentOnInput } from '@codemirror/language';
import { type Diagnostic, linter, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { useEffect, useRef, useState } from 'preact/hooks';
import { parseAnyProgram } from '../../../src/program/index.ts';
import { Dialog } from '../dialog.tsx';
import { changeMachine, type MachineField, machineIn } from '../machine-text.ts';
import { type Mistake, mistakeOf } from '../mistake.ts';
import { readText } from '../reading.ts';
import { run } from '../store/showing.ts';
import { setChecking, setEditing, text } from '../store/state.ts';
import { isTraceText, openTrace } from '../store/trace.ts';
import { complete, explaining } from './complete.ts';
import { look } from './look.ts';
import { Machine } from './machine.tsx';

/** The first mistake of a text as it stands. */
function mistakeIn(source: string): Mistake | null {
  try {
    parseAnyProgram(readText(source));
    return null;
  } catch (error) {
    return mistakeOf(source, error);
  }
}

function diagnosticsOf({ from, to, message }: Mistake): Diagnostic[] {
  return from < 0 ? [] : [{ from, to, message, severity: 'error' }];
}

/** What the text is, in a line. */
function Standing({ mistake, line }: { mistake: Mistake | null; line: number }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a long message scrolls, with the keys as well
    <p class={mistake ? 'mistake' : 'mistake fine'} role="status" tabIndex={0}>
      {mistake ? (
        <>
          {line > 0 ? <strong>Line {line}: </strong> : null}
          {mistake.message}
        </>
      ) : (
        'No mistake in it.'
      )}
    </p>
  );
}

const leave = (): void => {
  setEditing(false);
};

export function Editor() {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const [source, setSource] = useState(text.value);
  const [mistake, setMistake] = useState<Mistake | null>(null);

  const start = async (check: boolean): Promise<void> => {
    const { current } = view;
    if (!current) return;
    const found = await run(current.state.doc.toString());
    setMistake(found);
    if (!found) {
      leave();
      setChecking(check);
      if (check) await (await import('../check/checking.ts')).start(null);
      return;
    }
    current.focus();
    if (found.from < 0) return;
    // what only running it shows is marked here, too
    current.dispatch(setDiagnostics(current.state, diagnosticsOf(found)), {
      selection: { anchor: found.from, head: found.to },
      scrollIntoView: true,
    });
  };

  useEffect(() => {
    if (!host.current) return;
    const made = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: text.value,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          highlightActiveLine(),
          autocompletion({ override: [complete], icons: false }),
          explaining,
          json(),
          look,
          lintGutter(),
          linter(
            ({ state }) => {
              const found = mistakeIn(state.doc.toString());
              setMistake(found);
              return found ? diagnosticsOf(found) : [];
            },
            { delay: 150 },
          ),
          EditorView.contentAttributes.of({ 'aria-label': 'Program text', tabindex: '0' }),
          EditorView.updateListener.of(({ docChanged, state }) => {
            if (docChanged) setSource(state.doc.toString());
          }),
          keymap.of([
            { key: 'Mod-Enter', run: () => Boolean(start(false)) },
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...historyKeymap,
            ...completionKeymap,
            ...lintKeymap,
          ]),
        ],
      }),
    });
    view.current = made;
    made.focus();
    return () => made.destroy();
  }, []);

  /** Another text instead. */
  const replace = (whole: string): void => {
    const { current } = view;
    if (!current) return;
    current.dispatch({ changes: { from: 0, to: current.state.doc.length, insert: whole } });
    current.focus();
  };
  const take = (files: FileList | null | undefined): void => {
    files?.[0]?.text().then((whole) => {
      if (!isTraceText(whole)) return replace(whole);
      leave();
      openTrace(whole);
    });
  };
  const choose = (field: MachineField, value: string): void => {
    const { current } = view;
    const edit = current && changeMachine(current.state.doc.toString(), field, value);
    if (edit) current.dispatch({ changes: edit });
  };
  const line = mistake && mistake.from >= 0 ? source.slice(0, mistake.from).split('\n').length : 0;
  return (
    <Dialog label="The program" kind="wide" onClose={leave}>
      <h2>The program</h2>
      <p class="soft">
        A program is JSON, with comments: <code>ops</code> are performed one after the other; or{' '}
        <code>setup</code>, <code>tasks</code> that run at the same time, and <code>after</code>.
        Ctrl-Space says what may stand where.
      </p>
      <div class="buttons">
        <label class="pick">
          Open a file…
          <input
            type="file"
            accept=".json,.jsonc,application/json"
            onChange={(event) => {
              take(event.currentTarget.files);
              event.currentTarget.value = '';
            }}
          />
        </label>
        <Machine said={(field) => machineIn(source, field)} choose={choose} />
      </div>
      <div
        ref={host}
        class="code"
        onDragOverCapture={(event) => event.preventDefault()}
        onDropCapture={(event) => {
          if (!event.dataTransfer?.files.length) return;
          event.preventDefault();
          event.stopPropagation();
          take(event.dataTransfer.files);
        }}
      />
      <Standing mistake={mistake} line={line} />
      <div class="buttons">
        <button type="button" class="main" onClick={() => void start(false)}>
          Run <kbd>Ctrl</kbd> <kbd>Enter</kbd>
        </button>
        <button type="button" onClick={() => void start(true)}>
          Check
        </button>
        <button type="button" onClick={leave}>
          Cancel <kbd>Escape</kbd>
        </button>
      </div>
    </Dialog>
  );
}
