/** The names of the strategies. */
export const STRATEGIES = ['exhaustive', 'pct', 'uniform', 'random'] as const;
export type StrategyName = (typeof STRATEGIES)[number];
