/** What the command line needs at its start: without the model behind it. */
export {
  MEND_NAMES,
  MENDS,
  type Mend,
  type MendName,
  UNMENDED,
  type Unmended,
} from './mends.ts';
export { WALKS, type Walk } from './walks.ts';
