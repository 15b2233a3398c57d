/** Loading modules that others have written, wherever they lie. */
import { statSync } from 'node:fs';
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';

/** The version of a file, as its folder tells it. */
export function versionOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found ? `${found.ino} ${found.mtimeMs} ${found.size}` : '';
}

/** What a thread has loaded that others have written: it never loads it again. */
export interface Loaded {
  /** By file: its version then. */
  files: Map<string, string>;
  /** Whether it may have loaded more, whose versions nobody knows. */
  more: boolean;
}

/** What the hooks tell of each file that is loaded; null: something that they do not know. */
export type LoadedFile = readonly [file: string, version: string] | null;

const loaded: Loaded = { files: new Map(), more: false };
let told: MessagePort | null = null;

/** What this thread has loaded of others. */
export function loadedModules(): Loaded {
  if (told === null) return loaded;
  for (let one = receiveMessageOnPort(told); one; one = receiveMessageOnPort(told)) {
    const { message }: { message: LoadedFile } = one;
    if (message === null) loaded.more = true;
    else if (!loaded.files.has(message[0])) loaded.files.set(...message);
  }
  return loaded;
}

/** Whether all of it is as it was. */
export function isCurrent({ files, more }: Loaded): boolean {
  return !more && [...files].every(([file, version]) => versionOf(file) === version);
}

/**
 * Imports a module. What it imports as `softleaf/…`, itself or by its helpers, is this package: with another
 * copy it would make states that this one cannot read.
 */
export async function importOwn(file: string): Promise<Record<string, unknown>> {
  // hooks are a thread's, and each thread loads modules; tests of the source find the package by themselves
  if (told === null && import.meta.url.endsWith('.js')) {
    const { port1, port2 } = new MessageChannel();
    told = port1;
    const data = { tell: port2 };
    register('./module-hooks.js', import.meta.url, { data, transferList: [port2] });
  }
  return import(pathToFileURL(resolve(file)).href);
}
