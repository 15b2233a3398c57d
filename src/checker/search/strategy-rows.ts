/**
 * The strategies by name: what whoever offers or reads one goes by. strategies.ts makes them; the command
 * line's help needs no more than this.
 */

export interface StrategyRow {
  /** What it does, for those who choose. */
  what: string;
  /** Whether it ends when every schedule was tried; the others go on for ever. */
  exhaustive: boolean;
}

const ROWS = {
  exhaustive: { what: 'every schedule that can end differently', exhaustive: true },
  pct: { what: 'random priorities, changed at a few random points', exhaustive: false },
  uniform: {
    what: "every order of the tasks' steps about as likely as any other",
    exhaustive: false,
  },
  random: { what: 'at every step any task that can go on', exhaustive: false },
  turns: {
    what: 'so many steps of each task, in a pattern that repeats: shows what never ends',
    exhaustive: false,
  },
} satisfies Record<string, StrategyRow>;

export type StrategyName = keyof typeof ROWS;

/** The strategies by name, in the order in which they are offered. */
export const STRATEGY_ROWS: Readonly<Record<StrategyName, StrategyRow>> = ROWS;

/** The names of the strategies. */
export const STRATEGIES = Object.keys(ROWS) as readonly StrategyName[];
