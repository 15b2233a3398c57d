/** What a schedule belongs to: a scenario, a walk, and the steps that the model takes in it. */
import { runSchedule } from './check.ts';
import { Execution } from './execution.ts';
import type { Scenario, SetupOptions } from './scenario.ts';
import { digestOf } from './search/digest.ts';
import { Replay } from './search/schedule.ts';
import { type Choice, STOP, type Strategy, taskOf } from './search/strategy.ts';

/** Notes what kind of step follows what. */
class Kinds implements Strategy {
  text = '';
  constructor(private readonly inner: Strategy) {}
  begin(x: Execution): boolean {
    return this.inner.begin(x);
  }
  choose(x: Execution, enabled: number): Choice {
    const choice = this.inner.choose(x, enabled);
    if (choice !== STOP) {
      const { kind, objects } = x.pending(taskOf(choice));
      this.text += String.fromCharCode(97 + kind, 97 + objects[0]);
    }
    return choice;
  }
  end(): void {}
  bounds(): string[] {
    return [];
  }
}

/**
 * A digest of a scenario: its tasks, and the steps that they take one after the other. A schedule of
 * another program, or of a model in which functions take other steps, has another one.
 */
export function fingerprint(scenario: Scenario, options: SetupOptions): string {
  // what it is asked for makes no other scenario of it
  const { sought: _, ...setup } = options;
  const x = new Execution(scenario, setup);
  const kinds = new Kinds(new Replay([]));
  kinds.begin(x);
  runSchedule(x, kinds);
  return digestOf(
    [options.walk ?? '', scenario.source ?? scenario.name, x.names.join(), kinds.text].join('\n'),
  );
}
