/** Loading modules that others have written, wherever they lie. */
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

let hooked = false;

/**
 * Imports a module. What it imports as `softleaf/…`, itself or by its helpers, is this package: with another
 * copy it would make states that this one cannot read.
 */
export async function importOwn(file: string): Promise<Record<string, unknown>> {
  // hooks are a thread's, and each thread loads modules; tests of the source find the package by themselves
  if (!hooked && import.meta.url.endsWith('.js')) register('./module-hooks.js', import.meta.url);
  hooked = true;
  return import(pathToFileURL(resolve(file)).href);
}
