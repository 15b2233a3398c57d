/** What the command line needs to read programs and to speak of them: without the model behind it. */
export { slowGeometry } from './advice.ts';
export type { BadLine, ProgramFile } from './corpus.ts';
export { parseProgramFile, readProgram } from './corpus.ts';
export { ProgramError } from './error.ts';
export { jsonReader, MAX_MISTAKES, type ReadJson, type VisitJson } from './json.ts';
export { withoutPerformers } from './look/seen.ts';
export { type ConcurrentProgram, type Program, parseAnyProgram, showOp } from './schema.ts';
export { didYouMean } from './similar.ts';
