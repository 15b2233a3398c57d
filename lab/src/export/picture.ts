/** What is shown as one picture that stands alone: the timeline, address spaces and memory, as SVG. */
import type { EntryItem, FrameItem, Moment, StateView } from '../../../src/recording/index.ts';
import { ENTRY_LEGEND, entryLook, FRAME_LEGEND, frameLook, type Look } from '../kinds.ts';
import { MARKS } from '../timeline/marks.ts';
import { CHARACTER, SvgSurface } from '../timeline/surface.ts';
import {
  drawTimeline,
  heightOf,
  type Palette,
  type Scene,
  type Sight,
} from '../timeline/timeline-draw.ts';

const PAD = 20;
const CELL = 23;
const STEP = CELL + 2;
const LINE = 17;
/** Cells of one area or memory at most. */
const MOST = 512;

export interface PictureOf {
  readonly title: string;
  /** What the last step did, and what else is to be said, line by line. */
  readonly lines: readonly string[];
  readonly scene: Scene;
  readonly sight: Sight;
  readonly moment: Moment;
  /** Keys of what the last step changed. */
  readonly changed: ReadonlySet<string>;
  readonly width: number;
}

class Picture {
  private readonly g = new SvgSurface('lab');
  private y = PAD;

  constructor(
    private readonly of: PictureOf,
    private readonly color: Palette,
  ) {}

  private line(
    text: string,
    ink = '--ink',
    font: 'text' | 'strong' | 'code' = 'text',
    x = PAD,
  ): void {
    this.g.text(text, x, this.y + LINE / 2, this.color(ink), font);
    this.y += LINE;
  }

  private cell(x: number, y: number, { style, letter }: Look, changed: boolean, badge = ''): void {
    const { g, color } = this;
    if (changed) g.rect(x - 2, y - 2, CELL + 4, CELL + 4, color('--held'));
    const empty = style === 'empty';
    g.rect(x, y, CELL, CELL, color(empty ? '--line' : `k-${style}`));
    if (empty) g.rect(x + 1, y + 1, CELL - 2, CELL - 2, color('--panel'));
    g.text(
      letter,
      x + CELL / 2,
      y + CELL / 2,
      color(empty ? '--soft' : '--ink'),
      'strong',
      'middle',
    );
    if (badge) g.text(badge, x + CELL - 2, y + CELL - 5, color('--ink'), 'small', 'end');
  }

  /** Cells in lines; `looks` gives each and how many places it takes the room of. */
  private cells(
    list: readonly { look: Look; changed: boolean; badge: string }[],
    x: number,
    width: number,
  ): void {
    const each = Math.max(1, Math.floor(width / STEP));
    list.slice(0, MOST).forEach(({ look, changed, badge }, i) => {
      this.cell(x + (i % each) * STEP, this.y + Math.floor(i / each) * STEP, look, changed, badge);
    });
    this.y += Math.ceil(Math.min(list.length, MOST) / each) * STEP + 3;
    if (list.length > MOST) this.line(`… and ${list.length - MOST} more`, '--soft', 'text', x);
  }

  private area(
    area: StateView['areas'][number],
    leaves: Map<number, EntryItem>,
    x: number,
    width: number,
  ): void {
    const first = Number(/page (\d+)$/.exec(area.place)?.[1] ?? 0);
    const place = area.place.replace(/ page \d+$/, '');
    const last = first + area.end - area.start - 1;
    this.line(
      `${place}, pages ${first} to ${last}: ${area.flags}, ${area.backing}`,
      '--soft',
      'text',
      x,
    );
    const cells = [];
    for (let vpn = area.start; vpn < area.end; ) {
      const leaf = leaves.get(vpn);
      const pages = leaf?.pages ?? 1;
      cells.push({
        look: leaf ? entryLook(leaf) : { style: 'empty', letter: '·' },
        changed: leaf !== undefined && this.of.changed.has(leaf.key),
        badge: pages > 1 ? `×${pages}` : '',
      });
      vpn += pages;
    }
    this.cells(cells, x, width);
  }

  private space(space: StateView['spaces'][number], x: number, width: number): void {
    const { state } = this.of.moment;
    const mine = <T extends { space: number }>(list: readonly T[]): T[] =>
      list.filter((item) => item.space === space.space);
    this.line(`Process ${space.proc}`, '--ink', 'strong', x);
    const leaves = new Map(mine(state.entries).map((leaf) => [leaf.vpn, leaf]));
    for (const area of mine(state.areas)) this.area(area, leaves, x, width);
    const cached = mine(state.tlbs);
    for (const cpu of new Set(cached.map((one) => one.cpu))) {
      const kept = cached.filter((one) => one.cpu === cpu);
      const named = kept.map(({ place, writable, pfn }) => {
        const short = place.replace('buffer ', '').replace(' page ', ':');
        return `${short} ${writable ? 'w' : 'r'} → ${pfn}`;
      });
      this.list(`TLB of CPU ${cpu}`, named, x, width);
    }
    this.y += 6;
  }

  /** A list in one line, as far as there is room. */
  private list(name: string, items: readonly string[], x: number, width: number): void {
    const text = `${name}: ${items.join(', ')}`;
    const most = Math.floor(width / CHARACTER);
    this.line(text.length > most ? `${text.slice(0, most - 1)}…` : text, '--soft', 'text', x);
  }

  private memory(title: string, frames: readonly FrameItem[], x: number, width: number): void {
    if (frames.length === 0) return;
    this.line(`${title}: ${frames.length} pages in use`, '--ink', 'strong', x);
    const cells = frames.map((frame) => ({
      look: frameLook(frame),
      changed: this.of.changed.has(frame.key),
      badge: String(frame.refcount),
    }));
    this.cells(cells, x, width);
    this.y += 6;
  }

  private legend(list: readonly [Look, string][]): void {
    let x = PAD;
    for (const [look, meaning] of list) {
      this.cell(x, this.y, look, false);
      this.g.text(meaning, x + STEP + 4, this.y + CELL / 2, this.color('--soft'), 'text');
      x += STEP + 18 + meaning.length * CHARACTER;
    }
    this.y += STEP + 4;
  }

  private marks(): void {
    let x = PAD;
    for (const { shape, size, color, label } of MARKS) {
      this.g.marks(shape, [x + 6, this.y + LINE / 2], size, this.color(color));
      this.g.text(label, x + 16, this.y + LINE / 2, this.color('--soft'), 'text');
      x += 26 + label.length * CHARACTER;
    }
    this.y += LINE + 2;
  }

  draw(): string {
    const { title, lines, scene, sight, moment, width } = this.of;
    const inner = width - 2 * PAD;
    this.line(title, '--ink', 'strong');
    for (const line of lines) this.line(line, '--soft');
    this.marks();
    const timeline = new SvgSurface('timeline');
    drawTimeline(timeline, scene, sight, inner, this.color);
    const timelineAt = this.y;
    this.y += heightOf(scene.lanes.length) + 12;
    const { state } = moment;
    const top = this.y;
    // address spaces on the left, memory on the right
    const half = Math.floor(inner * 0.56);
    for (const space of state.spaces.filter(({ proc }) => proc >= 0))
      this.space(space, PAD, half - 16);
    for (const { device, mirror } of state.notifiers) {
      const entries = state.deviceEntries.filter((one) => one.mirror === mirror);
      if (entries.length === 0) continue;
      const named = entries.map(
        ({ place, right, pfn }) =>
          `${place.replace('buffer ', '').replace(' page ', ':')} ${right[0]} → ${pfn}`,
      );
      this.list(`Page table of device ${device}`, named, PAD, half - 16);
    }
    const left = this.y;
    this.y = top;
    const [x, rest] = [PAD + half, inner - half];
    this.memory(
      'RAM',
      state.frames.filter(({ memory }) => memory === 'RAM'),
      x,
      rest,
    );
    for (const { device } of state.notifiers) {
      this.memory(
        `Device ${device}`,
        state.frames.filter(({ memory }) => memory === device),
        x,
        rest,
      );
    }
    this.y = Math.max(this.y, left) + 8;
    this.legend(ENTRY_LEGEND);
    this.legend(FRAME_LEGEND);
    const height = this.y + PAD - 6;
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
      `<rect width="${width}" height="${height}" fill="${this.color('--panel')}"/>`,
      `<g transform="translate(${PAD} ${timelineAt})">${timeline}</g>`,
      String(this.g),
      '</svg>',
    ].join('\n');
  }
}

/** A picture of what is shown, as the text of an SVG file. */
export function pictureOf(of: PictureOf, color: Palette): string {
  return new Picture(of, color).draw();
}
