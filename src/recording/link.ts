/**
 * Links: everything that a view is made of, in the part of the address after `#`. A link carries the
 * schedule's digest, so that one of another program or model is refused and never misread.
 */
import { WALKS, type Walk } from '../program/index.ts';

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
}

/** A link that cannot be followed; the message says why. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
) {
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
    if (!'vpzwsnx'.includes(name))
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
  };
}
