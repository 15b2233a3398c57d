#!/usr/bin/env node
/** The `softleaf` executable. */
import { main } from './cli.ts';
import { ExitCode } from './terminal.ts';

let lost = false;
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read this has gone (`softleaf ... | head`): the verdict is as it would have been.
    if (error.code === 'EPIPE' || lost) return;
    lost = true;
    process.exitCode = ExitCode.output;
    if (stream === process.stdout)
      process.stderr.write(`softleaf: cannot write the output: ${error.message}\n`);
  });

const code = await main(process.argv.slice(2), process);
if (!lost) process.exitCode = code;
