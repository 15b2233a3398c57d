/** What the rooms above use of programs and the package does not offer. */

export {
  KERNEL_PROFILES,
  type Profile,
  randomProgram,
} from './generate/index.ts';
export { MAX_MISTAKES } from './json.ts';
export * from './look/items.ts';
export {
  type KernelFunction,
  kernelFunction,
  kernelName,
  kernelNameOf,
} from './look/kernel-function.ts';
export {
  nameOf,
  type ObjectName,
  roleWords,
  type StepDone,
  shortPlace,
  shortStepWords,
  stepWords,
} from './look/object-words.ts';
export { callWords, opWords } from './look/op-words.ts';
export { systemOf, withoutPerformers } from './look/seen.ts';
export * from './look/viewer.ts';
export { valuesOf } from './runs.ts';
export { didYouMean } from './similar.ts';
