import { describe, expect, it } from 'vitest';
import { cpio, initramfs } from '../../src/kernel/cpio.ts';

interface Unpacked {
  name: string;
  mode: string;
  text: string;
  device: string;
}

/** Reads an archive as the kernel does: heads and data begin at multiples of four. */
function unpack(archive: Buffer): Unpacked[] {
  const files: Unpacked[] = [];
  const align = (at: number) => (at + 3) & ~3;
  for (let at = 0; at < archive.length; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (i: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + 8 * i, at + 14 + 8 * i), 16);
    const nameSize = field(11);
    const name = archive.toString('utf8', at + 110, at + 110 + nameSize - 1);
    expect(archive[at + 110 + nameSize - 1]).toBe(0);
    const start = align(at + 110 + nameSize);
    const end = start + field(6);
    const device = `${field(9)}:${field(10)}`;
    files.push({
      name,
      mode: field(1).toString(8),
      text: archive.toString('utf8', start, end),
      device,
    });
    at = align(end);
  }
  return files;
}

describe('an initramfs', () => {
  it.each([0, 1, 2, 3, 4, 5])(
    'is read back where names and data have any length: %i more',
    (more) => {
      const text = 'x'.repeat(more);
      const archive = cpio([{ name: `a${text}`, mode: 0o100644, data: Buffer.from(`b${text}`) }]);
      expect(archive.length % 4).toBe(0);
      expect(unpack(archive)).toEqual([
        { name: `a${text}`, mode: '100644', text: `b${text}`, device: '0:0' },
        { name: 'TRAILER!!!', mode: '0', text: '', device: '0:0' },
      ]);
    },
  );

  it('has the agent as its first process, a console, and modules with their parameters', () => {
    const files = unpack(
      initramfs(Buffer.from('agent'), [
        { name: 'a.ko', data: Buffer.from('A') },
        { name: 'b.ko', data: Buffer.from('B'), parameters: 'x=1 y=2' },
      ]),
    );
    expect(files.map(({ name, mode }) => `${name} ${mode}`)).toEqual([
      'dev 40755',
      'dev/console 20600',
      'init 100755',
      'a.ko 100644',
      'b.ko 100644',
      'softleaf.modules 100644',
      'TRAILER!!! 0',
    ]);
    expect(files[1].device).toBe('5:1');
    expect(files[2].text).toBe('agent');
    expect(files[5].text).toBe('/a.ko\n/b.ko x=1 y=2\n');
  });
});
