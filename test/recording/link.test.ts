import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/checker/index.ts';
import { decodeLink, encodeLink, LINK_BYTES, LinkError } from '../../src/recording/link.ts';

const LINK = {
  walk: 'unified',
  hardware: false,
  schedule: '1.0.a1',
  step: 0,
  selected: '',
  compared: null,
} as const;
const textOf = (bytes: number): string => `"${'a'.repeat(bytes - 2)}"`;

/** A link as anybody could write it, with a seal that fits. */
function forged(packed: string): string {
  const fields = Object.entries({ v: '1', z: packed, w: 'unified', s: '1.0.a1' });
  fields.push(['c', digestOf(fields.flat().join('\n')).slice(-5)]);
  return `#${new URLSearchParams(fields)}`;
}
const packed = (text: string): string => deflateRawSync(text).toString('base64url');

describe('the program in a link', () => {
  it('may be long', async () => {
    const program = { text: textOf(LINK_BYTES) };
    const link = await encodeLink({ ...LINK, program });
    expect(await decodeLink(link)).toEqual({ ...LINK, program });
    expect(await decodeLink(forged(packed(program.text)))).toMatchObject({ program });
  });

  it('is refused where it is longer, as it is read and as it is written', async () => {
    const text = textOf(LINK_BYTES + 1);
    const why = new LinkError('The program is too long for a link: 8 MiB at most.');
    await expect(decodeLink(forged(packed(text)))).rejects.toThrow(why);
    await expect(encodeLink({ ...LINK, program: { text } })).rejects.toThrow(why);
  });

  it.each([
    ['cut', packed(textOf(5000)).slice(0, -8)],
    ['no base64', '!'],
    ['not compressed', 'AAAA'],
    ['not UTF-8', deflateRawSync(Buffer.from([0x22, 0xff, 0x22])).toString('base64url')],
  ])('is refused where it is %s', async (_, text) => {
    await expect(decodeLink(forged(text))).rejects.toThrow(
      new LinkError('The program in this link cannot be read.'),
    );
  });
});
