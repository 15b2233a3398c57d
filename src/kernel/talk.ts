/** Talking with an agent: programs go out, answers come back in the same order. */
import type { Readable, Writable } from 'node:stream';
import { KernelError } from './error.ts';
import { type Answer, type Askable, type Hello, programLine, readAgentLine } from './protocol.ts';

/** Bytes that may be on their way over a line that loses what is not read in time. */
const UNREAD = 8192;

/** Thrown when an agent is gone before it has answered. */
export class AgentGone extends Error {
  override readonly name = 'AgentGone';
}

interface Waiting {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

export interface TalkOptions {
  /** Seconds that a program may take; the agent ends it then. */
  seconds: number;
  /** Seconds that the agent may be silent for beyond that. */
  patience: number;
}

/** A stream from an agent and one to it. */
export class Talk {
  /** What the kernel has; comes first. */
  readonly hello: Promise<Hello>;
  private readonly waiting: Waiting[] = [];
  private pending = '';
  private readonly queue: Buffer[] = [];
  private sent = 0;
  /** The agent says how much it took, and no more than UNREAD is to be on its way. */
  private took: number | null = null;
  private gone: Error | null = null;
  private timer: NodeJS.Timeout | undefined;
  private greet: (hello: Hello) => void = () => {};
  private refuse: (error: Error) => void = () => {};

  /** @param counted whether the agent counts what it takes */
  constructor(
    output: Readable,
    private readonly input: Writable,
    private readonly options: TalkOptions,
    counted = false,
  ) {
    if (counted) this.took = 0;
    this.hello = new Promise((resolve, reject) => {
      this.greet = resolve;
      this.refuse = reject;
    });
    // who never asks is not told
    this.hello.catch(() => {});
    output.setEncoding('utf8');
    output.on('data', (text: string) => this.hear(text));
    output.on('end', () => this.end(new AgentGone('it ended')));
    output.on('error', (error) => this.end(new AgentGone(error.message)));
    // what it said before it went is still to be heard: its output comes to an end
    input.on('error', () => {});
  }

  /**
   * Asks for a program's results.
   * @throws AgentGone where the agent is gone before it answers
   */
  ask(program: Askable): Promise<Answer> {
    if (this.gone) return Promise.reject(this.gone);
    const answer = new Promise<Answer>((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
    this.queue.push(Buffer.from(programLine(program, this.options.seconds)));
    this.pump();
    if (this.waiting.length === 1) this.watch();
    return answer;
  }

  /** No more comes from it: whoever waits is told. */
  end(error: Error): void {
    if (this.gone) return;
    this.gone = error;
    clearTimeout(this.timer);
    this.refuse(error);
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }

  private pump(): void {
    while (this.queue.length > 0) {
      const [next] = this.queue;
      const room = this.took === null ? next.length : UNREAD - (this.sent - this.took);
      if (room <= 0) return;
      const part = next.subarray(0, room);
      if (part.length === next.length) this.queue.shift();
      else this.queue[0] = next.subarray(part.length);
      this.sent += part.length;
      this.input.write(part);
    }
  }

  /** The first who waits gets an answer in time, or nobody does. */
  private watch(): void {
    clearTimeout(this.timer);
    if (this.waiting.length === 0) return;
    const { seconds, patience } = this.options;
    this.timer = setTimeout(
      () => this.end(new AgentGone('the kernel is silent')),
      (seconds + patience) * 1000,
    );
  }

  private hear(text: string): void {
    const lines = (this.pending + text).split('\n');
    this.pending = lines.pop() as string;
    for (const line of lines) {
      try {
        this.take(line);
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        this.end(error);
      }
    }
  }

  private take(text: string): void {
    const line = readAgentLine(text);
    switch (line?.kind) {
      case 'hello':
        this.greet(line.hello);
        break;
      case 'took':
        this.took = line.bytes;
        this.pump();
        break;
      case 'alive':
        this.watch();
        break;
      case 'ended':
        this.end(new AgentGone(line.why));
        break;
      case 'answer':
        this.waiting.shift()?.resolve(line.answer);
        this.watch();
    }
  }
}
