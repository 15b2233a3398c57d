/** What the rooms above use of programs and the package does not offer. */
export { MAX_MISTAKES } from './json.ts';
export { didYouMean } from './similar.ts';
