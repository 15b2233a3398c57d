/** Where the imports of modules lead that others have written; Node runs this beside them. */
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import { instrument } from './instrument.ts';

type LoadHook = nodeModule.LoadHook;
type ResolveHook = nodeModule.ResolveHook;

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
  const loaded = await next(url, context);
  if (!url.startsWith('file:') || url.startsWith(BUILT) || url.includes('/node_modules/'))
    return loaded;
  const typed = loaded.format === ('module-typescript' as string);
  if ((loaded.format !== 'module' && !typed) || loaded.source == null) return loaded;
  const text =
    typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source);
  const code = typed ? stripTypeScriptTypes?.(text) : text;
  const source = code === undefined ? null : instrument(code, fileURLToPath(url), TOLD);
  return source === null ? loaded : { ...loaded, format: 'module', source };
};
