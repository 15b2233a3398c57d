/**
 * Links: everything that a view is made of, in the part of the address after `#`. A link carries the
 * schedule's digest, so that one of another program or model is refused, and a digest of its own, so that
 * one that was cut or changed on its way is: none is misread.
 */
import { digestOf, WALKS, type Walk } from '../checker/index.ts';

const VERSION = '1';

export interface Link {
  /** A program of the gallery by name, or its text. */
  readonly program: { readonly name: string } | { readonly text: string };
  readonly walk: Walk;
  /** With the hardware's own events. */
  readonly hardware: boolean;
  readonly schedule: string;
  readonly step: number;
  /** Key of the selected item; empty: none. */
  readonly selected: string;
  /** Two walks side by side, and the place in both; null: one alone. */
  readonly compared: Compared | null;
}

/** A comparison. */
export interface Compared {
  readonly walks: readonly [Walk, Walk];
  /** Below 0: where there is most to be seen. */
  readonly place: number;
}

export const COMPARED: readonly [Walk, Walk] = ['collect', 'unified'];

/** A link that cannot be followed; the message says why. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
}

/** Bytes that a program's text may have in a link, as UTF-8. */
export const LINK_BYTES = 8 * 2 ** 20;

const tooLong = (): LinkError =>
  new LinkError(`The program is too long for a link: ${LINK_BYTES >> 20} MiB at most.`);

async function compress(text: string): Promise<string> {
  const plain = new TextEncoder().encode(text);
  if (plain.length > LINK_BYTES) throw tooLong();
  const stream = new CompressionStream('deflate-raw') as TransformStream;
  const out = new Blob([plain]).stream().pipeThrough(stream);
  const bytes = new Uint8Array(await new Response(out).arrayBuffer());
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Decompresses no more than a program may have: a few characters could stand for gigabytes.
 * @throws LinkError for more
 */
async function limited(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new DecompressionStream('deflate-raw') as TransformStream<Uint8Array, Uint8Array>;
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length;
    if (length > LINK_BYTES) {
      await reader.cancel();
      throw tooLong();
    }
    parts.push(next.value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function decompress(text: string): Promise<string> {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(await limited(bytes));
  } catch (error) {
    if (error instanceof LinkError) throw error;
    throw new LinkError('The program in this link cannot be read.');
  }
}

/** The last field of a link: some of all that stands before it. */
function sealOf(fields: readonly (readonly [string, string])[]): string {
  return digestOf(fields.flat().join('\n')).slice(-5);
}

/**
 * Writes a link.
 * @throws LinkError where the program is too long for one
 */
export async function encodeLink(link: Link): Promise<string> {
  const { program, walk, hardware, schedule, step, selected } = link;
  const fields: [string, string][] = [['v', VERSION]];
  if ('name' in program) fields.push(['p', program.name]);
  else fields.push(['z', await compress(program.text)]);
  fields.push(['w', walk]);
  if (hardware) fields.push(['h', '1']);
  fields.push(['s', schedule]);
  if (step > 0) fields.push(['n', String(step)]);
  if (selected !== '') fields.push(['x', selected.replaceAll(' ', '.')]);
  if (link.compared && link.compared.place >= 0) {
    const { place, walks } = link.compared;
    const usual = walks.join() === COMPARED.join();
    fields.push(['b', [place, ...(usual ? [] : walks)].join('.')]);
  }
  fields.push(['c', sealOf(fields)]);
  return `#${fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}

/**
 * Reads a link.
 * @returns null for the empty one
 * @throws LinkError when it is not one, one of another version, not whole, or too long
 */
export async function decodeLink(hash: string): Promise<Link | null> {
  const text = hash.replace(/^#/, '');
  if (text === '') return null;
  const fields = new URLSearchParams(text);
  const get = (name: string): string => fields.get(name) ?? '';
  const version = get('v');
  if (version === '') throw new LinkError('This is not a link of the lab: it says no version.');
  if (version !== VERSION) {
    throw new LinkError(`This link is of version ${version}; this lab reads version ${VERSION}.`);
  }
  const all = [...fields];
  const [last, seal] = all.pop() ?? [];
  if (last !== 'c' || seal !== sealOf(all)) {
    throw new LinkError(
      'This link is damaged: a part of it is missing, or was changed on its way. Ask for it again.',
    );
  }
  const walk = get('w') as Walk;
  if (!WALKS.includes(walk))
    throw new LinkError(`There is no walk “${walk}” (${WALKS.join(', ')}).`);
  const step = get('n') === '' ? 0 : Number(get('n'));
  if (!Number.isInteger(step) || step < 0) throw new LinkError(`“${get('n')}” is no step.`);
  const [name, packed] = [get('p'), get('z')];
  if ((name === '') === (packed === '')) throw new LinkError('This link names no program.');
  const schedule = get('s');
  if (schedule === '') throw new LinkError('This link has no schedule.');
  return {
    program: name === '' ? { text: await decompress(packed) } : { name },
    walk,
    hardware: get('h') === '1',
    schedule,
    step,
    selected: get('x').replaceAll('.', ' '),
    compared: comparedOf(get('b')),
  };
}

function comparedOf(said: string): Compared | null {
  if (said === '') return null;
  const [place, ...rest] = said.split('.');
  const [a, b, ...more] = rest.length === 0 ? COMPARED : (rest as Walk[]);
  if (!/^\d+$/.test(place) || !WALKS.includes(a) || !WALKS.includes(b) || more.length > 0) {
    throw new LinkError(`“${said}” is no place of a comparison.`);
  }
  return { walks: [a, b], place: Number(place) };
}
