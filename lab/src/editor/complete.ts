/** What the editor offers to write, and what it says of what is written. */
import {
  type Completion,
  type CompletionContext,
  type CompletionResult,
  snippet,
  startCompletion,
} from '@codemirror/autocomplete';
import { type EditorView, hoverTooltip } from '@codemirror/view';
import { OP_MEANINGS, OPS, type OpName } from '../../../src/program/index.ts';
import { contextAt } from './context.ts';
import { type Field, fieldsAt, isOp, ownFields, targetOf, valuesAt } from './shape.ts';

/** Writes a template over what is there of the name or value; then offers what may stand in it. */
function writing(template: string, goOn = false): (view: EditorView) => void {
  return (view) => {
    const { state } = view;
    const at = state.selection.main.head;
    const there = contextAt(state.doc.toString(), at) ?? { from: at, to: at };
    snippet(template)(view, null, there.from, there.to);
    if (goOn) startCompletion(view);
  };
}

/** A start as the n-th part of a template that is to be written over. */
function hole(start: string, n = 1): string {
  const [, open, inside, close] = /^(["[{]?)(.*?)(["\]}]?)$/.exec(start) ?? ['', '', start, ''];
  return `${open}\${${n}${inside ? `:${inside}` : ''}}${close}`;
}

const words = ({ what, unit }: Field['meaning'], holds: string): string =>
  `${what}${unit ? ` (${unit})` : ''}: ${holds}`;

/** A whole operation with all that it must have. */
function templateOf(op: OpName): string {
  const fields = ownFields(op).map(({ name, start }, i) => `"${name}": ${hole(start, i + 1)}`);
  return `{${[`"op": "${op}"`, ...fields].join(', ')}}`;
}

export function complete({ state, pos, explicit }: CompletionContext): CompletionResult | null {
  const text = state.doc.toString();
  const context = contextAt(text, pos);
  if (!context) return null;
  const { path, expects, name, said, from, to } = context;
  if (!explicit && from === to) return null;
  const quoted = text[from] === '"' ? 1 : 0;
  const result = (options: Completion[]): CompletionResult | null =>
    options.length === 0
      ? null
      : { from: Math.min(pos, from + quoted), options, validFor: /^\w*$/ };
  if (expects === 'name') {
    const written = text.slice(from + quoted, to).replace(/"$/, '');
    // a name that has its value already keeps it
    const valued = /^\s*:/.test(text.slice(to));
    const fields = fieldsAt(path, said).filter(
      (one) => one.name === written || !said.has(one.name),
    );
    return result(
      fields.map((field, i) => ({
        label: field.name,
        type: 'property',
        boost: -i,
        detail: field.holds,
        info: words(field.meaning, field.holds),
        apply: valued
          ? writing(`"${field.name}"`)
          : writing(
              `"${field.name}": ${hole(field.start)}`,
              field.name === 'op' || field.spec?.kind === 'choice',
            ),
      })),
    );
  }
  if (name === '' && targetOf(path) === 'operations') {
    return result(
      (Object.keys(OPS) as OpName[]).map((op) => ({
        label: op,
        type: 'function',
        info: OP_MEANINGS[op],
        apply: writing(templateOf(op)),
      })),
    );
  }
  return result(
    valuesAt(path, name, said).map(({ json, what }, i) => ({
      label: json.replaceAll('"', ''),
      type: 'enum',
      boost: -i,
      ...(what ? { info: what } : {}),
      apply: writing(json),
    })),
  );
}

/** What is said of the name or the value at a place. */
export function explain(
  text: string,
  at: number,
): { from: number; to: number; words: string } | null {
  const context = contextAt(text, at);
  if (!context || context.from === context.to) return null;
  const { path, expects, name, said, from, to } = context;
  const written = text.slice(from, to).replaceAll('"', '');
  if (expects === 'name') {
    const field = fieldsAt(path, said).find((one) => one.name === written);
    return field ? { from, to, words: words(field.meaning, field.holds) } : null;
  }
  if (name === 'op' && isOp(written)) return { from, to, words: OP_MEANINGS[written] };
  const value = valuesAt(path, name, said).find(({ json }) => json === text.slice(from, to));
  return value?.what ? { from, to, words: value.what } : null;
}

export const explaining = hoverTooltip((view, at) => {
  const found = explain(view.state.doc.toString(), at);
  if (!found) return null;
  return {
    pos: found.from,
    end: found.to,
    above: true,
    create: () => {
      const dom = document.createElement('div');
      dom.className = 'meaning';
      dom.textContent = found.words;
      return { dom };
    },
  };
});
