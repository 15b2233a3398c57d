/** What the command line needs at its start: without the model behind it. */
export { STRATEGIES, STRATEGY_ROWS, type StrategyName } from './search/strategy-rows.ts';
