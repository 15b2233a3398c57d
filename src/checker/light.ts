/** What the command line needs at its start: without the model behind it. */
export {
  allPairs,
  isPairName,
  type Pair,
  pairName,
  pairOpNamed,
  pairProgram,
  pairWalks,
  quickPairs,
  stateNamed,
  stockPairs,
} from './pairs.ts';
export { STRATEGIES, STRATEGY_ROWS, type StrategyName } from './search/strategy-rows.ts';
