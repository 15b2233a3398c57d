/** What the command line needs at its start: without the model behind it. */
export { ProgramError } from './error.ts';
export { didYouMean } from './similar.ts';
