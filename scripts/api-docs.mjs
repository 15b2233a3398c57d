/**
 * Writes the API reference: a page for each entry point of the package, of signatures and docstrings.
 *
 * Usage: npm run docs:api (into build/api), or node scripts/api-docs.mjs FOLDER after a build
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readApi } from './lib/api.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

const fileOf = (entry) => `${entry.replaceAll('/', '-')}.md`;
const firstSentence = (doc) => doc.split(/\n\n|\n@|(?<=\.)\s/)[0].replace(/\s+/g, ' ');
/** Text that Markdown takes for no tags: `Kernel$<number>` in a sentence. */
const plain = (text) => text.replaceAll('<', '&lt;');

/** A docstring as Markdown: what it mirrors and how close as lines of their own, tags as a list. */
function markdownOf(doc) {
  const [text, ...tags] = doc.split(/\n?^@(?=\w)/m);
  const body = plain(text)
    .replace(/^(Mirrors|faithful|simplified|differs)\b/gm, '\n$1')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
  const items = tags.map((tag) => {
    const one = tag.replace(/\s+/g, ' ').trim();
    const param = /^param (\S+) (.*)/.exec(one);
    return param ? `- \`${param[1]}\`: ${plain(param[2])}` : `- ${plain(one)}`;
  });
  return [body, items.join('\n')].filter(Boolean).join('\n\n');
}

/** The pages by file name. */
export function apiPages(folder) {
  const api = readApi(root);
  const pages = new Map();
  for (const { name, doc, passesOn, exports } of api) {
    const parts = exports.map((one) => {
      const source = relative(folder, join(root, one.file));
      return [
        `## ${one.name}`,
        `\`\`\`ts\n${one.signature}\n\`\`\``,
        ...(one.doc ? [markdownOf(one.doc)] : []),
        `[${one.file}](${source})`,
      ].join('\n\n');
    });
    const whole = passesOn.map((other) => `Everything of [${other}](${fileOf(other)}).`);
    const list = exports.map((one) => {
      const says = one.doc ? `: ${plain(firstSentence(one.doc))}` : '';
      return `- [${one.name}](#${one.name.toLowerCase()})${says}`;
    });
    const head = [`# ${name}`, ...(doc ? [plain(doc)] : []), ...whole];
    if (list.length > 0) head.push(list.join('\n'));
    pages.set(fileOf(name), `${[...head, ...parts].join('\n\n')}\n`);
  }
  const rows = api.map(
    ({ name, doc }) => `- [${name}](${fileOf(name)})${doc && `: ${plain(doc)}`}`,
  );
  pages.set('README.md', `# The entry points of Softleaf\n\n${rows.join('\n')}\n`);
  return pages;
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(root, 'build/api'));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const pages = apiPages(folder);
  for (const [file, text] of pages) writeFileSync(join(folder, file), text);
  console.log(`${pages.size} pages in ${folder}`);
}
