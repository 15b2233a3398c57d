/** Softleaf: Linux's heterogeneous memory management as a program you can run, check and look at. */
export * from './program/index.ts';
