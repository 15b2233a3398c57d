/** Which steps depend on each other: those whose order makes a difference. */
import { Role } from '../machine/index.ts';

/** What is done with which objects: what a step names, or more. */
export interface Uses {
  readonly count: number;
  /** Kinds of objects. */
  readonly objects: readonly number[];
  readonly ids: readonly number[];
  readonly roles: readonly Role[];
}

/** Whether two roles on one object do not commute. By the first role, a bit for each second. */
export const CONFLICTS: number[] = [];
/** Of those, the ones whose order can be turned round: a release is never before the acquire. */
export const TAKES = (1 << Role.Acquire) | (1 << Role.AcquireShared) | (1 << Role.TryAcquire);
const LOCKS = TAKES | (1 << Role.Release) | (1 << Role.ReleaseShared);
const SHARED = (1 << Role.AcquireShared) | (1 << Role.ReleaseShared);
for (let role = 0; role < 8; role++) {
  let mask: number;
  if (role === Role.Read) mask = (1 << Role.Write) | (1 << Role.Commute);
  else if (role === Role.Commute) mask = (1 << Role.Write) | (1 << Role.Read);
  else if (role === Role.Write) mask = (1 << Role.Write) | (1 << Role.Read) | (1 << Role.Commute);
  else if ((1 << role) & SHARED) mask = LOCKS & ~SHARED;
  else mask = LOCKS;
  CONFLICTS[role] = mask;
}

/** Whether what two steps do with one object does not commute. */
export function conflict(a: Role, b: Role): boolean {
  return (CONFLICTS[a] & (1 << b)) !== 0;
}

/** Whether what is done with one object does not commute with something in `uses`. */
export function meets(kind: number, id: number, role: Role, uses: Uses): boolean {
  const mask = CONFLICTS[role];
  for (let i = 0; i < uses.count; i++) {
    if (uses.ids[i] === id && mask & (1 << uses.roles[i]) && uses.objects[i] === kind) return true;
  }
  return false;
}

/** Whether two steps depend on each other. */
export function dependent(a: Uses, b: Uses): boolean {
  for (let i = 0; i < a.count; i++) {
    if (meets(a.objects[i], a.ids[i], a.roles[i], b)) return true;
  }
  return false;
}
