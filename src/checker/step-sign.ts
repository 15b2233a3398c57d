/** Steps that are alike. */
import type { Step } from '../machine/index.ts';

/** What a step is, as a number: who takes it and what it does to what. */
export function signOf(task: number, fail: boolean, step: Step): number {
  let sign = (task * 2 + (fail ? 1 : 0)) * 16 + step.kind;
  for (let i = 0; i < step.count; i++) {
    sign = Math.imul(sign ^ (step.objects[i] * 8 + step.roles[i]), 0x9e3779b1) ^ step.ids[i];
    sign = Math.imul(sign ^ (sign >>> 15), 0x85ebca6b);
  }
  return sign;
}
