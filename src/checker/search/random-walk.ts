/** Every task that can go on is as likely as any other, at every step. */
import type { Execution } from '../execution.ts';
import { nth, size } from '../task-set.ts';
import { AtRandom } from './at-random.ts';

export class RandomWalk extends AtRandom {
  protected pick(_x: Execution, enabled: number): number {
    return nth(enabled, Math.floor(this.random() * size(enabled)));
  }
}
