/** Adds a service worker to the build, with the list of the build's files. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';

const WORKER = new URL('worker.js', import.meta.url);

export function offline(): Plugin {
  return {
    name: 'offline',
    // a development server has no worker
    config: (_, { command }) => ({
      define: { 'import.meta.env.WORKER': JSON.stringify(command === 'build') },
    }),
    // when everything else has put its files there
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        const hash = createHash('sha256');
        const files = Object.keys(bundle).sort();
        for (const file of files) {
          const made = bundle[file];
          hash.update(file).update(made.type === 'chunk' ? made.code : made.source);
        }
        const source = [
          `const BUILD = ${JSON.stringify(hash.digest('hex').slice(0, 16))};`,
          `const FILES = ${JSON.stringify(files)};`,
          readFileSync(WORKER, 'utf8'),
        ].join('\n');
        this.emitFile({ type: 'asset', fileName: 'sw.js', source });
      },
    },
  };
}
