/** The functions and branches that ran.ts counts. The build fills this in (scripts/count.mjs). */

/** A function, or a way that a condition goes. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly function: string;
  readonly what: 'function' | 'branch';
}

export const places: readonly Place[] = [];
