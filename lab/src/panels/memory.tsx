/** Physical memory: pages of RAM and of devices, and the folio that is selected. */

import { PAGE_FLAGS } from '../../../src/mm/index.ts';
import { type FrameItem, mappersOf, type StateView } from '../../../src/recording/index.ts';
import { About } from '../explain/about.tsx';
import { FRAME_LEGEND, frameLook } from '../kinds.ts';
import { Cell, Chip, Legend } from '../parts.tsx';
import { moment } from '../store/showing.ts';
import { selected } from '../store/state.ts';

const MOST = 1024;

function frameTitle({ name, kind, refcount, mapcount, lockedBy }: FrameItem): string {
  const lock = lockedBy === '' ? '' : `; locked by ${lockedBy}`;
  return `${name}: ${kind}; ${refcount} references, ${mapcount} mappings${lock}`;
}

function Grid({ title, frames }: { title: string; frames: readonly FrameItem[] }) {
  return (
    <div class="grid">
      <h4>
        {title} <em>{frames.length === 0 ? 'nothing in use' : `${frames.length} in use`}</em>
      </h4>
      <div class="cells">
        {frames.slice(0, MOST).map((frame) => (
          <Cell
            key={frame.key}
            of={frame.key}
            look={frameLook(frame)}
            title={frameTitle(frame)}
            badge={String(frame.refcount)}
            locked={frame.lockedBy !== ''}
          />
        ))}
      </div>
      {frames.length > MOST ? <p class="soft">… and {frames.length - MOST} more</p> : null}
    </div>
  );
}

function Folio({ frame, view }: { frame: FrameItem; view: StateView }) {
  const mappers = mappersOf(view, frame.pfn);
  const holders = Object.entries(frame.holders);
  return (
    <div class="detail">
      <h3>
        {frame.memory === 'RAM' ? 'Page' : `Device ${frame.memory}, page`} {frame.pfn}{' '}
        <em>
          {frame.kind}
          {frame.order > 0 ? `, of folio ${frame.folio} of ${1 << frame.order} pages` : ''}
        </em>
      </h3>
      <dl>
        <dt title="folio_ref_count()">References</dt>
        <dd>
          <strong>{frame.refcount}</strong>
          {holders.length > 0 ? ': ' : ''}
          {holders.map(([who, n]) => `${who}${n > 1 ? ` ×${n}` : ''}`).join(', ')}
        </dd>
        <dt title="Page-table entries that map it">Mapped</dt>
        <dd>{frame.mapcount} times</dd>
        <dt title="PG_locked">Lock</dt>
        <dd>{frame.lockedBy === '' ? 'free' : `held by ${frame.lockedBy}`}</dd>
        <dt>Flags</dt>
        <dd>
          {frame.flags.length === 0 ? 'none' : null}
          {frame.flags.map((flag) => {
            const [, word, kernel, meaning] = PAGE_FLAGS.find(([, w]) => w === flag) ?? [
              0,
              flag,
              '',
              '',
            ];
            return (
              <span class="flag" key={flag} title={`${kernel}: ${meaning}`}>
                {word}
              </span>
            );
          })}
        </dd>
        <dt>First word</dt>
        <dd>
          <code>{frame.word === null ? 'not at hand' : `0x${frame.word.toString(16)}`}</code>
        </dd>
        <dt>Reached by</dt>
        <dd class="chips">
          {mappers.length === 0 ? 'nobody' : null}
          {mappers.slice(0, 24).map((item) => (
            <Chip key={item.key} of={item.key}>
              {item.name.replace(/^the /, '')}
            </Chip>
          ))}
        </dd>
      </dl>
    </div>
  );
}

/** The page that the selection is about. */
function shownFrame(view: StateView): FrameItem | undefined {
  const key = selected.value;
  const direct = view.frames.find((frame) => frame.key === key);
  if (direct) return direct;
  const via = [...view.entries, ...view.tlbs, ...view.deviceEntries].find(
    (item) => item.key === key,
  );
  return via && view.frames.find(({ pfn }) => pfn === via.pfn);
}

export function Memory() {
  const view = moment.value?.state;
  const frame = view && shownFrame(view);
  const devices = view ? view.notifiers.map(({ device }) => device) : [];
  return (
    <section class="panel memory" aria-label="Physical memory">
      <h2>Physical memory</h2>
      <About of="memory" />
      <div class="scroll">
        {view ? (
          <>
            <Grid title="RAM" frames={view.frames.filter(({ memory }) => memory === 'RAM')} />
            {devices.map((device) => (
              <Grid
                key={device}
                title={`Device ${device}`}
                frames={view.frames.filter(({ memory }) => memory === device)}
              />
            ))}
            {frame ? (
              <Folio frame={frame} view={view} />
            ) : (
              <p class="soft">
                Select a page to see who holds and maps it. The small number counts its references.
              </p>
            )}
          </>
        ) : null}
      </div>
      <Legend of={FRAME_LEGEND} />
    </section>
  );
}
