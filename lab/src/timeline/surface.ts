/** What pictures are drawn on: a canvas, or SVG. The same code draws both. */

export type Font = 'text' | 'strong' | 'small' | 'code';

/** Fonts as CSS says them. */
export const FONTS: Record<Font, string> = {
  text: '11px system-ui, sans-serif',
  strong: '600 12px system-ui, sans-serif',
  small: '10px system-ui, sans-serif',
  code: '10.5px ui-monospace, "DejaVu Sans Mono", monospace',
};

/** Polygons around (0, 0), at most 1 away from it in each direction. */
export interface Shape {
  readonly polygons: readonly (readonly (readonly [x: number, y: number])[])[];
  /** Drawn as lines, not filled. */
  readonly open?: boolean;
}

export interface Surface {
  rect(x: number, y: number, width: number, height: number, fill: string): void;
  /** Stripes, so that colour is not alone. */
  stripes(x: number, y: number, width: number, height: number, fill: string): void;
  /** Text whose middle line is at `y`. */
  text(
    text: string,
    x: number,
    y: number,
    fill: string,
    font: Font,
    align?: 'end' | 'middle',
  ): void;
  /** One shape at many places: x and y, one after the other. */
  marks(shape: Shape, places: readonly number[], size: number, fill: string): void;
  /** What `body` draws is cut off outside. */
  clipped(x: number, y: number, width: number, height: number, body: () => void): void;
}

/** Room of a character, near enough to cut a text. */
export const CHARACTER = 6.35;

const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const short = (n: number): string => String(Math.round(n * 10) / 10);

/** Draws into a string. */
export class SvgSurface implements Surface {
  private readonly parts: string[] = [];
  private readonly patterns = new Map<string, string>();
  private clips = 0;

  /** @param prefix of ids, so that several can be in one picture */
  constructor(private readonly prefix: string) {}

  rect(x: number, y: number, width: number, height: number, fill: string): void {
    this.parts.push(
      `<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}" fill="${fill}"/>`,
    );
  }

  stripes(x: number, y: number, width: number, height: number, fill: string): void {
    let id = this.patterns.get(fill);
    if (!id) {
      id = `${this.prefix}-stripes-${this.patterns.size}`;
      this.patterns.set(fill, id);
    }
    this.rect(x, y, width, height, `url(#${id})`);
  }

  text(
    text: string,
    x: number,
    y: number,
    fill: string,
    font: Font,
    align: 'start' | 'middle' | 'end' = 'start',
  ): void {
    const anchor = align === 'start' ? '' : ` text-anchor="${align}"`;
    const style = escaped(FONTS[font]);
    this.parts.push(
      `<text x="${short(x)}" y="${short(y)}" dy="0.35em" fill="${fill}"${anchor} style="font:${style}">${escaped(text)}</text>`,
    );
  }

  marks({ polygons, open }: Shape, places: readonly number[], size: number, fill: string): void {
    let path = '';
    for (let i = 0; i < places.length; i += 2) {
      for (const polygon of polygons) {
        const points = polygon.map(
          ([x, y]) => `${short(places[i] + x * size)} ${short(places[i + 1] + y * size)}`,
        );
        path += `M${points.join('L')}${open ? '' : 'Z'}`;
      }
    }
    const style = open
      ? `fill="none" stroke="${fill}" stroke-width="1.6"`
      : `fill="${fill}" fill-rule="evenodd"`;
    this.parts.push(`<path d="${path}" ${style}/>`);
  }

  clipped(x: number, y: number, width: number, height: number, body: () => void): void {
    const id = `${this.prefix}-clip-${this.clips++}`;
    this.parts.push(
      `<clipPath id="${id}"><rect x="${x}" y="${y}" width="${width}" height="${height}"/></clipPath>`,
      `<g clip-path="url(#${id})">`,
    );
    body();
    this.parts.push('</g>');
  }

  toString(): string {
    const patterns = [...this.patterns].map(
      ([fill, id]) =>
        `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="3" height="6" fill="${fill}"/></pattern>`,
    );
    return `${patterns.length > 0 ? `<defs>${patterns.join('')}</defs>` : ''}${this.parts.join('\n')}`;
  }
}
