/** Programs: the format, reading it, running it, comparing with a recording. */
export { slowGeometry } from './advice.ts';
export { checkShutDown, checkSystem, showBroken } from './check-system.ts';
export * from './corpus.ts';
export { describeSystem } from './describe-system.ts';
export * from './error.ts';
export { expectedWords, meets, pagesWords, resultWords, unmet } from './expected.ts';
export {
  type JsonMistake,
  type JsonPath,
  type JsonText,
  jsonReader,
  type Position,
  plainJson,
  type ReadJson,
  type VisitJson,
} from './json.ts';
export { programSchema } from './json-schema.ts';
export * from './meanings.ts';
export { perform } from './operations.ts';
export * from './ops.ts';
export * from './picture.ts';
export * from './run-program.ts';
export { compareResults, type Difference, equal, tagRuns, valueRuns } from './runs.ts';
export * from './schema.ts';
export * from './system.ts';
