/** A canvas to draw on. */
import { FONTS, type Font, type Shape, type Surface } from './surface.ts';

export class CanvasSurface implements Surface {
  private readonly patterns = new Map<string, CanvasPattern>();
  private font = '';

  constructor(private readonly g: CanvasRenderingContext2D) {
    g.textBaseline = 'middle';
    g.lineWidth = 1.6;
  }

  rect(x: number, y: number, width: number, height: number, fill: string): void {
    this.g.fillStyle = fill;
    this.g.fillRect(x, y, width, height);
  }

  stripes(x: number, y: number, width: number, height: number, fill: string): void {
    this.g.fillStyle = this.pattern(fill) ?? fill;
    this.g.fillRect(x, y, width, height);
  }

  private pattern(fill: string): CanvasPattern | null {
    const known = this.patterns.get(fill);
    if (known) return known;
    const tile = document.createElement('canvas');
    tile.width = tile.height = 6;
    const t = tile.getContext('2d');
    if (!t) return null;
    t.strokeStyle = fill;
    t.lineWidth = 2;
    for (const shift of [-6, 0, 6]) {
      t.moveTo(shift - 1, 7);
      t.lineTo(shift + 7, -1);
    }
    t.stroke();
    const pattern = this.g.createPattern(tile, 'repeat');
    if (pattern) this.patterns.set(fill, pattern);
    return pattern;
  }

  text(
    text: string,
    x: number,
    y: number,
    fill: string,
    font: Font,
    align: 'start' | 'middle' | 'end' = 'start',
  ): void {
    const { g } = this;
    // setting the font is dear
    if (this.font !== font) g.font = FONTS[font];
    this.font = font;
    g.fillStyle = fill;
    g.textAlign = align === 'middle' ? 'center' : align;
    g.fillText(text, x, y);
  }

  marks({ polygons, open }: Shape, places: readonly number[], size: number, fill: string): void {
    const { g } = this;
    g.beginPath();
    for (let i = 0; i < places.length; i += 2) {
      for (const polygon of polygons) {
        polygon.forEach(([x, y], n) => {
          if (n === 0) g.moveTo(places[i] + x * size, places[i + 1] + y * size);
          else g.lineTo(places[i] + x * size, places[i + 1] + y * size);
        });
        if (!open) g.closePath();
      }
    }
    if (open) {
      g.strokeStyle = fill;
      g.stroke();
    } else {
      g.fillStyle = fill;
      g.fill('evenodd');
    }
  }

  clipped(x: number, y: number, width: number, height: number, body: () => void): void {
    const { g } = this;
    g.save();
    g.beginPath();
    g.rect(x, y, width, height);
    g.clip();
    body();
    g.restore();
    // the font goes back, too
    this.font = '';
  }
}
