/** The format alone, to read programs and to speak of them: without the model that runs them. */
export { slowGeometry } from './advice.ts';
export type { BadLine, ProgramFile } from './corpus.ts';
export { parseFileOf, parseProgramFile, readProgram } from './corpus.ts';
export { jsonReader, MAX_MISTAKES, type ReadJson, type VisitJson } from './json.ts';
export { withoutPerformers } from './look/seen.ts';
export type { Op } from './ops.ts';
export {
  type ConcurrentProgram,
  type Program,
  parseAnyProgram,
  type Result,
  showOp,
} from './schema.ts';
export { didYouMean } from './similar.ts';
