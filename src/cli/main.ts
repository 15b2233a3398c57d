#!/usr/bin/env node
/** The `softleaf` executable. */
import { main } from './cli.ts';

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read this has gone (`softleaf ... | head`): nothing is left to do.
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });

process.exitCode = await main(process.argv.slice(2), process);
