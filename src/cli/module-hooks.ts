/** Where the imports of modules lead that others have written; Node runs this beside them. */
import type { ResolveHook } from 'node:module';

/** This package by its name is this package, whoever asks: Node resolves it so for a file of the package. */
export const resolve: ResolveHook = (specifier, context, next) =>
  next(
    specifier,
    /^softleaf(\/|$)/.test(specifier) ? { ...context, parentURL: import.meta.url } : context,
  );
