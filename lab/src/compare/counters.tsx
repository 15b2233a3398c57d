/** What both sides have counted at the same place, as numbers and as bars. */
import { signal } from '@preact/signals';
import { MIGRATION_ENTRIES } from '../../../src/recording/index.ts';
import { operation, operations, type Side, steps } from './comparing.ts';

/** What is counted: the counter, its name, and what it means with the kernel's term. */
const COUNTED: readonly [name: string, label: string, meaning: string][] = [
  ['walks', 'walks', 'Walks over page tables: hmm_range_fault() and migrate_vma_collect()'],
  ['entriesVisited', 'entries looked at', 'Page-table entries that these walks looked at'],
  ['faults', 'page faults', 'Pages put in place: handle_mm_fault(), whoever asked'],
  [MIGRATION_ENTRIES, 'migration entries', 'Entries that now say “this page is on its way”'],
  ['pagesMigrated', 'pages migrated', 'Pages that have moved for good: migrate_vma_finalize()'],
  ['tlbFlushes', 'TLB flushes', 'CPUs told to forget translations: flush_tlb_range()'],
  ['invalidations', 'invalidations', 'Devices told to forget a range: MMU notifiers'],
  ['folioLocks', 'folio locks', 'Locks of pages taken: folio_lock(), folio_trylock()'],
  ['pagesAllocated', 'pages allocated', 'In RAM and on devices'],
  ['bytesCopied', 'bytes copied', 'From page to page, to a device and back'],
  ['steps', 'steps', 'Whatever another CPU could see or be blocked by'],
];

/** From where it is counted. */
const whole = signal(false);

export function counted({ recording }: Side, name: string, from: number, to: number): number {
  return name === 'steps' ? to - from : recording.count(name, to) - recording.count(name, from);
}

/** Both sides' counters, as numbers and as bars. */
export function Counters({ sides }: { sides: readonly [Side, Side] }) {
  const { left, right } = operations.value[operation.value];
  const parts = [left, right];
  return (
    <section class="panel counters" aria-label="Counted">
      <h2>
        Counted
        <span class="buttons">
          <button
            type="button"
            aria-pressed={!whole.value}
            onClick={() => void (whole.value = false)}
          >
            in this operation
          </button>
          <button
            type="button"
            aria-pressed={whole.value}
            onClick={() => void (whole.value = true)}
          >
            from the beginning
          </button>
        </span>
      </h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <td />
              <th class="side-0">{sides[0].walk}</th>
              <th class="side-1">{sides[1].walk}</th>
              <th>difference</th>
            </tr>
          </thead>
          <tbody>
            {COUNTED.map(([name, label, meaning]) => {
              const values = sides.map((side, n) =>
                counted(side, name, whole.value ? 0 : parts[n].from, steps.value[n]),
              );
              const most = Math.max(
                1,
                ...sides.map((side, n) =>
                  whole.value
                    ? counted(side, name, 0, side.recording.length)
                    : counted(side, name, parts[n].from, parts[n].to),
                ),
              );
              const [a, b] = values;
              const more = b - a;
              const percent =
                a === 0
                  ? ''
                  : ` (${more > 0 ? '+' : '−'}${Math.round((Math.abs(more) / a) * 100)} %)`;
              return (
                <tr key={name} data-counter={name}>
                  <th title={meaning}>{label}</th>
                  <td>{a}</td>
                  <td>{b}</td>
                  <td class="difference">
                    <span class="bars" aria-hidden="true">
                      {values.map((value, n) => (
                        <span
                          key={sides[n].walk}
                          class={`bar side-${n}`}
                          style={{ width: `${(value / most) * 100}%` }}
                        />
                      ))}
                    </span>
                    <span>
                      {more === 0 ? 'same' : `${more > 0 ? '+' : '−'}${Math.abs(more)}${percent}`}
                    </span>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
