/** What the command line needs at its start: without the model behind it. */
export { WALKS, type Walk } from './walks.ts';
