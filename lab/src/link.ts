/**
 * Links: everything that a view is made of, in the part of the address after `#`. A link carries the
 * schedule's digest, so that one of another program or model is refused and never misread.
 */
import { WALKS, type Walk } from '../../src/checker/index.ts';

const VERSION = '1';

export interface Link {
  /** A program of the gallery by name, or its text. */
  readonly program: { readonly name: string } | { readonly text: string };
  readonly walk: Walk;
  /** Empty: the tasks in turn, of whatever program is there. */
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

async function through(bytes: Uint8Array<ArrayBuffer>, stream: GenericTransformStream) {
  const out = new Blob([bytes]).stream().pipeThrough(stream as TransformStream);
  return new Uint8Array(await new Response(out).arrayBuffer());
}

async function compress(text: string): Promise<string> {
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream('deflate-raw'));
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

async function decompress(text: string): Promise<string> {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const whole = await through(bytes, new DecompressionStream('deflate-raw'));
    return new TextDecoder('utf-8', { fatal: true }).decode(whole);
  } catch {
    throw new LinkError('The program in this link is damaged: part of the link may be missing.');
  }
}

export async function encodeLink(link: Link): Promise<string> {
  const { program, walk, schedule, step, selected } = link;
  const fields: [string, string][] = [['v', VERSION]];
  if ('name' in program) fields.push(['p', program.name]);
  else fields.push(['z', await compress(program.text)]);
  fields.push(['w', walk], ['s', schedule]);
  if (step > 0) fields.push(['n', String(step)]);
  if (selected !== '') fields.push(['x', selected.replaceAll(' ', '.')]);
  if (link.compared && link.compared.place >= 0) {
    const { place, walks } = link.compared;
    const usual = walks.join() === COMPARED.join();
    fields.push(['c', [place, ...(usual ? [] : walks)].join('.')]);
  }
  return `#${fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`;
}

/**
 * Reads a link.
 * @returns null for the empty one
 * @throws LinkError when it is not one, or one of another version
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
  for (const name of fields.keys()) {
    if (!'vpzwsnxc'.includes(name))
      throw new LinkError(`This link says “${name}”, which is nothing.`);
  }
  const walk = get('w') as Walk;
  if (!WALKS.includes(walk))
    throw new LinkError(`There is no walk “${walk}” (${WALKS.join(', ')}).`);
  const step = get('n') === '' ? 0 : Number(get('n'));
  if (!Number.isInteger(step) || step < 0) throw new LinkError(`“${get('n')}” is no step.`);
  const [name, packed] = [get('p'), get('z')];
  if ((name === '') === (packed === '')) throw new LinkError('This link names no program.');
  const schedule = get('s');
  if (schedule === '') throw new LinkError('This link has no schedule: its end may be missing.');
  return {
    program: name === '' ? { text: await decompress(packed) } : { name },
    walk,
    schedule,
    step,
    selected: get('x').replaceAll('.', ' '),
    compared: comparedOf(get('c')),
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
