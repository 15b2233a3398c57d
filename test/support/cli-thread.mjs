/** Runs command lines of the built `softleaf`, one after the other, in a thread of the tests' process. */
import { parentPort, workerData } from 'node:worker_threads';

const { main } = await import(workerData.cli);

parentPort.on('message', async ({ args, env, port, done }) => {
  const text = { out: '', err: '' };
  const stream = (name) => ({
    isTTY: false,
    write(part) {
      text[name] += part;
    },
  });
  const code = await main(args, { stdout: stream('out'), stderr: stream('err'), env });
  port.postMessage({ code, ...text });
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
});
