/** The machine's geometry: choices that change the program's text. */
import { MACHINE_MEANINGS } from '../../../src/program/index.ts';
import { choicesOf, type MachineField } from '../machine-text.ts';

/** The walk is chosen for the whole page. */
const SHOWN: readonly [field: MachineField, label: string, words: (json: string) => string][] = [
  ['pmdOrder', 'Huge page', (json) => `${2 ** Number(json)} pages`],
  ['pageBytes', 'Page size', (json) => `${json} bytes`],
  ['cpus', 'CPUs', (json) => json],
  ['mended', 'Mended', (json) => (json === 'true' ? 'yes' : 'no')],
];

export function Machine(props: {
  /** What the text says, as JSON; empty: nothing. */
  said: (field: MachineField) => string;
  choose: (field: MachineField, value: string) => void;
}) {
  const { said, choose } = props;
  return (
    <fieldset class="machine" aria-label="The machine">
      {SHOWN.map(([field, label, words]) => {
        const now = said(field);
        const choices = choicesOf(field);
        return (
          <label
            class="field"
            key={field}
            title={`machine.${field}: ${MACHINE_MEANINGS[field].what}`}
          >
            <span>{label}</span>
            <select
              aria-label={label}
              value={now}
              onChange={(event) => choose(field, event.currentTarget.value)}
            >
              <option value="">default</option>
              {choices.map((json) => (
                <option value={json} key={json}>
                  {words(json)}
                </option>
              ))}
              {now === '' || choices.includes(now) ? null : <option value={now}>{now}</option>}
            </select>
          </label>
        );
      })}
    </fieldset>
  );
}
