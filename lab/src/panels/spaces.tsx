/** Address spaces: areas, page tables, what TLBs and devices keep of them. */
import { useState } from 'preact/hooks';
import type {
  AreaItem,
  EntryItem,
  SpaceItem,
  StateView,
  TableItem,
} from '../../../src/recording/index.ts';
import { About } from '../explain/about.tsx';
import { ENTRY_LEGEND, entryLook } from '../kinds.ts';
import { Cell, Chip, Legend } from '../parts.tsx';
import { moment } from '../store/showing.ts';

/** Pages of an area that are drawn one by one. */
const MOST = 512;

function entryTitle({ place, kind, bits, pfn, pages, value }: EntryItem): string {
  const what = `${kind}${bits.length > 0 ? `, ${bits.join(', ')}` : ''}`;
  const size = pages > 1 ? ` (one entry for ${pages} pages)` : '';
  return `${place}${size}: ${what}; page ${pfn}; 0x${(value >>> 0).toString(16)}`;
}

export function Area({ area, leaves }: { area: AreaItem; leaves: Map<number, EntryItem> }) {
  const cells = [];
  const count = area.end - area.start;
  const place = area.place.replace(/ page \d+$/, '');
  const first = Number(/page (\d+)$/.exec(area.place)?.[1] ?? 0);
  for (let vpn = area.start; vpn < area.end && vpn < area.start + MOST; ) {
    const leaf = leaves.get(vpn);
    const pages = leaf?.pages ?? 1;
    if (leaf) {
      const badge = pages > 1 ? `×${pages}` : undefined;
      cells.push(
        <Cell
          key={vpn}
          of={leaf.key}
          look={entryLook(leaf)}
          title={entryTitle(leaf)}
          {...(badge ? { badge } : {})}
        />,
      );
    } else {
      const at = first + vpn - area.start;
      cells.push(
        <span key={vpn} class="cell k-empty" title={`${place} page ${at}: nothing there yet`}>
          ·
        </span>,
      );
    }
    vpn += pages;
  }
  return (
    <div class="area">
      <Chip of={area.key} title="An area (VMA): pages that are mapped in the same way">
        {place}, pages {first} to {first + count - 1}{' '}
        <em>
          {area.flags}, {area.backing}
        </em>
      </Chip>
      <div class="cells">{cells}</div>
      {count > MOST ? <p class="soft">… and {count - MOST} pages more</p> : null}
    </div>
  );
}

function Table({ table, view }: { table: TableItem; view: StateView }) {
  const [open, setOpen] = useState(table.level !== 'PTE');
  const below = view.tables.filter(({ above }) => above === table.table);
  const leaves = view.entries.filter((entry) => entry.table === table.table).slice(0, MOST);
  const what = `${table.level} table ${table.table}`;
  return (
    <div class="branch">
      <button
        type="button"
        class="twist"
        aria-expanded={open}
        aria-label={`What is in ${what}`}
        onClick={() => setOpen(!open)}
      >
        {open ? '▾' : '▸'}
      </button>
      <Chip of={table.key} title={`${table.level} table: one entry covers ${table.cover} page(s)`}>
        {what} <em>{table.used} in use</em>
      </Chip>
      {open ? below.map((one) => <Table key={one.key} table={one} view={view} />) : null}
      {open && leaves.length > 0 ? (
        <div class="cells">
          {leaves.map((leaf) => (
            <Cell key={leaf.key} of={leaf.key} look={entryLook(leaf)} title={entryTitle(leaf)} />
          ))}
        </div>
      ) : null}
    </div>
  );
}

function Space({ space, view }: { space: SpaceItem; view: StateView }) {
  const mine = <T extends { space: number }>(list: readonly T[]): T[] =>
    list.filter((item) => item.space === space.space);
  const leaves = new Map(mine(view.entries).map((leaf) => [leaf.vpn, leaf]));
  const tables = mine(view.tables).filter(({ above }) => above === 0);
  const cached = mine(view.tlbs);
  const cpus = [...new Set(cached.map(({ cpu }) => cpu))];
  return (
    <div class="space">
      <h3>
        <Chip of={space.key} title="An address space (mm_struct)">
          {space.proc < 0 ? 'a process that is gone' : `Process ${space.proc}`}
        </Chip>
        <em>
          {space.anonPages} anonymous, {space.filePages} file pages
          {space.hugetlbPages > 0 ? `, ${space.hugetlbPages} hugetlb` : ''}
          {space.invalidations > 0 ? '; an invalidation is under way' : ''}
        </em>
      </h3>
      {mine(view.areas).map((area) => (
        <Area key={area.key} area={area} leaves={leaves} />
      ))}
      <h4>Page tables</h4>
      <div class="tree">
        {tables.map((table) => (
          <Table key={table.key} table={table} view={view} />
        ))}
      </div>
      <h4 title="Translations that a CPU keeps until they are flushed">TLBs</h4>
      {cpus.length === 0 ? <p class="soft">no CPU keeps a translation</p> : null}
      {cpus.map((cpu) => (
        <p class="chips" key={cpu}>
          <strong>CPU {cpu}</strong>
          {cached
            .filter((one) => one.cpu === cpu)
            .slice(0, 64)
            .map((one) => (
              <Chip key={one.key} of={one.key} title={`${one.place}: page ${one.pfn}`}>
                {one.place.replace('buffer ', '').replace(' page ', ':')} {one.writable ? 'w' : 'r'}{' '}
                → {one.pfn}
              </Chip>
            ))}
        </p>
      ))}
    </div>
  );
}

export function Spaces() {
  const view = moment.value?.state;
  return (
    <section class="panel spaces" aria-label="Address spaces">
      <h2>Address spaces</h2>
      <About of="spaces" />
      <div class="scroll">
        {view ? (
          <>
            <div class="side-by-side">
              {view.spaces
                .filter(({ proc }) => proc >= 0)
                .map((space) => (
                  <Space key={space.key} space={space} view={view} />
                ))}
            </div>
            <h4 title="What each device can reach without asking">Device page tables</h4>
            {view.notifiers.map((notifier) => (
              <p class="chips" key={notifier.key}>
                <Chip of={notifier.key} title="The device, its notifier and its memory">
                  <strong>Device {notifier.device}</strong> {notifier.devicePages} pages in use
                </Chip>
                {view.deviceEntries
                  .filter(({ mirror }) => mirror === notifier.mirror)
                  .slice(0, 64)
                  .map((entry) => (
                    <Chip
                      key={entry.key}
                      of={entry.key}
                      title={`${entry.place}: ${entry.right}, page ${entry.pfn}`}
                    >
                      {entry.place.replace('buffer ', '').replace(' page ', ':')} {entry.right[0]} →{' '}
                      {entry.pfn}
                    </Chip>
                  ))}
              </p>
            ))}
          </>
        ) : null}
      </div>
      <Legend of={ENTRY_LEGEND} />
    </section>
  );
}
