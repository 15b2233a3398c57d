/** Where the imports of modules lead that others have written; Node runs this beside them. */
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import { instrument } from './instrument.ts';
import { type LoadedFile, versionOf } from './modules.ts';

type LoadHook = nodeModule.LoadHook;
type ResolveHook = nodeModule.ResolveHook;

let tell: (file: LoadedFile) => void = () => {};

/** @param data where it is told what is loaded */
export const initialize: nodeModule.InitializeHook<{ tell: MessagePort }> = (data) => {
  tell = (file) => data.tell.postMessage(file);
};

/** This package by its name is this package, whoever asks: Node resolves it so for a file of the package. */
export const resolve: ResolveHook = (specifier, context, next) =>
  next(
    specifier,
    /^softleaf(\/|$)/.test(specifier) ? { ...context, parentURL: import.meta.url } : context,
  );

/** The package's own code, and what instrumented code tells. */
const BUILT = new URL('../', import.meta.url).href;
const TOLD = new URL('checker/own-code.js', BUILT).href;

const { stripTypeScriptTypes } = nodeModule as {
  stripTypeScriptTypes?: (code: string) => string;
};

/** What others have written is instrumented; not packages that it uses, nor what is no ECMAScript module. */
export const load: LoadHook = async (url, context, next) => {
  if (url.startsWith(BUILT) || url.startsWith('node:')) return next(url, context);
  const file = url.startsWith('file:') ? fileURLToPath(url) : null;
  const version = file === null ? '' : versionOf(file);
  const loaded = await next(url, context);
  const typed = loaded.format === ('module-typescript' as string);
  const isModule = file !== null && (loaded.format === 'module' || typed) && loaded.source != null;
  tell(isModule ? [file, version] : null);
  if (!isModule || url.includes('/node_modules/')) return loaded;
  const text =
    typeof loaded.source === 'string'
      ? loaded.source
      : new TextDecoder().decode(loaded.source as Uint8Array);
  const code = typed ? stripTypeScriptTypes?.(text) : text;
  const source = code === undefined ? null : instrument(code, file, TOLD);
  return source === null ? loaded : { ...loaded, format: 'module', source };
};
