/** A pair of streams in the place of a kernel. */
import { PassThrough } from 'node:stream';
import type { Guest } from '../../src/kernel/guest.ts';
import { AgentGone, Talk } from '../../src/kernel/talk.ts';
import type { Program } from '../../src/program/index.ts';

export const HELLO = {
  hello: 'softleaf-agent',
  protocol: 1,
  kernel: '7.3.4',
  version: '#1',
  machine: 'x86_64',
  cpus: 1,
  devices: 2,
  has: ['test_hmm'],
};

/** An agent that answers each line as `answer` says; null: it ends. */
export function agent(
  answer: (line: Program) => object | null,
  console = '',
): Guest & { lines: string[] } {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const lines: string[] = [];
  let pending = '';
  let [dying, ended] = [false, false];
  input.on('data', (data) => {
    const parts = (pending + data).split('\n');
    pending = parts.pop() as string;
    for (const part of parts) {
      lines.push(part);
      const said = dying ? null : answer(JSON.parse(part));
      if (said)
        output.write(`${JSON.stringify(said)}
`);
      if (said || dying) continue;
      dying = true;
      setImmediate(() => {
        ended = true;
        output.end();
      });
    }
  });
  const talk = new Talk(output, input, { seconds: 60, patience: 60 });
  const close = async () => talk.end(new AgentGone('closed'));
  return { hello: HELLO, talk, how: 'here', console: () => (ended ? console : ''), close, lines };
}
