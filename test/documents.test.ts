import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { legendText, pictureLines } from '../src/cli/picture-text.ts';
import { FLAWS } from '../src/drivers/flaws.ts';
import { MEND_NAMES, MENDS } from '../src/mm/mends.ts';
import { LEGEND, OPS, parseProgram, runProgram, showOp } from '../src/program/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const documents = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'corpus/README.md'].concat(
  readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
);

describe.each(documents)('%s', (path) => {
  it('links to files and headings that are there', () => {
    const slug = (heading: string) =>
      heading
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-');
    const broken = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].filter(([, link]) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [file, anchor] = link.split('#');
      const target = file === '' ? join(root, path) : join(root, dirname(path), file);
      if (!existsSync(target)) return true;
      const headings = anchor ? readFileSync(target, 'utf8').match(/^#+ .*$/gm) : [];
      return anchor && !headings?.some((line) => slug(line.replace(/^#+ /, '')) === anchor);
    });
    expect(broken.map(([, link]) => link)).toEqual([]);
  });

  it('names scripts and files that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const text = read(path);
    for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g))
      expect(scripts).toHaveProperty(name);
    for (const [, name] of text.matchAll(
      /(?:softleaf|npx softleaf) (?:run|conform|check) (\S+\.(?:jsonl?|[mc]?js|ts))/g,
    )) {
      if (!name.includes('*')) expect(existsSync(join(root, name)), name).toBe(true);
    }
  });
});

describe('README.md', () => {
  it('shows the main example as it is', () => {
    const program = parseProgram(JSON.parse(read('examples/migrate-on-fault.json')));
    const fault = program.ops.findIndex(({ op }) => op === 'fault_migrate_to_dev');
    const run = (end: number) => runProgram({ name: program.name, ops: program.ops.slice(0, end) });
    const [before, after] = [run(fault), run(fault + 1)];
    const text = read('README.md');
    expect(text).toContain(`before\n${pictureLines(before).join('\n')}\n`);
    expect(text).toContain(`\n${showOp(program.ops[fault])}\n`);
    expect(text).toContain(`after\n${pictureLines(after).join('\n')}\n`);
    expect(text).toContain(`\n${legendText([before, after])}\n`);
  });
});

describe('docs/README.md', () => {
  it('has every document', () => {
    const links = [...read('docs/README.md').matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link);
    const others = documents
      .filter((path) => path !== 'docs/README.md')
      .map((path) => (path.startsWith('docs/') ? path.slice('docs/'.length) : `../${path}`));
    expect(others.filter((path) => !links.includes(path))).toEqual([]);
  });
});

describe('CHANGELOG.md', () => {
  const AREAS = [
    'Machine and memory management',
    'HMM',
    'Drivers',
    'Programs',
    'Checker',
    'Lab',
    'Command line',
    'Documents',
  ];
  const parts = (level: string) => read('CHANGELOG.md').split(new RegExp(`^${level} `, 'm'));

  it('says for each version what a user sees, by area', () => {
    const [, ...versions] = parts('##');
    for (const version of versions) {
      const [heading, ...areas] = version.split(/^### /m);
      expect(heading).toMatch(/^\d+\.\d+\.\d+ \((unreleased|\d{4}-\d\d-\d\d)\)\n\s*$/);
      const names = areas.map((area) => area.split('\n')[0]);
      expect(names).toEqual(AREAS.filter((name) => names.includes(name)));
      for (const area of areas) expect(area).toMatch(/^.+\n\n- /);
    }
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect(versions[0]).toMatch(`${version} (`);
  });
});

describe('ARCHITECTURE.md and docs/inside.md', () => {
  it('names functions that are there', () => {
    const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => read(`src/${name}`))
      .join('\n');
    const functions = new Set([...source.matchAll(/function\*? (\w+)/g)].map(([, name]) => name));
    const texts = read('ARCHITECTURE.md') + read('docs/inside.md');
    const names = [...texts.matchAll(/`(\w+)\(\)`/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !functions.has(name))).toEqual([]);
  });
});

describe('docs/contributing.md', () => {
  const text = read('docs/contributing.md');
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map(([, words]) => words);

  it('names files and folders that are there', () => {
    const paths = quoted.filter((words) =>
      /^[\w.-]+\/[\w./-]*$|^[A-Z]\w+\.md$|^biome\.json$/.test(words),
    );
    expect(paths.length).toBeGreaterThan(50);
    const placeholder = /\b(ID|NAME)\b/;
    const gone = paths.filter((path) => !placeholder.test(path) && !existsSync(join(root, path)));
    expect(gone).toEqual([]);
  });

  it('names functions and tables that are there', () => {
    const folders = ['src', 'lab/src', 'test', 'scripts', 'examples'];
    const sources = folders
      .flatMap((folder) =>
        readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
          .filter((name) => /\.(ts|tsx|mjs)$/.test(name) && !name.includes('documents.test'))
          .map((name) => read(`${folder}/${name}`)),
      )
      .join('\n');
    const functions = quoted.flatMap((words) => /^(?:\w+\.)?(\w+)\(\)$/.exec(words)?.[1] ?? []);
    const tables = quoted.filter((words) => /^[A-Z][A-Z_]+$/.test(words));
    expect(functions.length).toBeGreaterThan(5);
    const defined = (name: string) =>
      new RegExp(`(function\\*? |const |^ +)${name}\\b *[(:=<]`, 'm').test(sources);
    expect([...functions, ...tables].filter((name) => !defined(name))).toEqual([]);
  });

  it('says of each recipe which check proves it', () => {
    const recipes = [...text.matchAll(/^## (An? .+)$/gm)].map(([, heading]) => heading);
    expect(recipes).toEqual([
      'An operation',
      'A modelled kernel function',
      'An invariant',
      'A strategy',
      'A driver',
      'A known bug',
      'A scenario',
      'A command of the lab',
    ]);
    for (const recipe of recipes) {
      const part = text.split(`\n## ${recipe}\n`)[1].split('\n## ')[0];
      expect(part, recipe).toMatch(/`(test\/[\w/.-]+|npm run [\w: -]+|npx softleaf check[^`]*)`/);
    }
  });
});

describe('the number of recorded programs', () => {
  const files = readdirSync(join(root, 'corpus')).filter((name) => name.endsWith('.jsonl'));
  const count = (file: string) => read(`corpus/${file}`).trim().split('\n').length;

  it('is what the documents say', () => {
    const total = files.reduce((sum, file) => sum + count(file), 0);
    expect(read('README.md')).toContain(` ${total} programs`);
    expect(read('CHANGELOG.md')).toContain(` ${total} programs`);
    for (const file of files)
      expect(read('corpus/README.md')).toContain(`\`${file}\` | ${count(file)} |`);
  });
});

describe('docs/checking.md', () => {
  const text = read('docs/checking.md');
  const softleaf = (line: string) => {
    const [npx, name, ...args] = line.split(/\s+/);
    expect([npx, name]).toEqual(['npx', 'softleaf']);
    const main = join(root, 'dist/cli/main.js');
    return spawnSync(process.execPath, [main, ...args], { cwd: root, encoding: 'utf8' });
  };

  it('shows what its commands print (--update writes it)', async () => {
    const block = /```sh\n(.*)\n```\n\n```text\n[\s\S]*?```/g;
    expect(text.match(block)).toHaveLength(3);
    const now = text.replace(block, (_, command) => {
      const { stdout, stderr } = softleaf(command);
      expect(stderr).toBe('');
      // how many functions there are changes with every change of the model
      const shown = stdout.replace(/^ {2}reached: [\s\S]*/m, '  …\n');
      expect(shown).toMatch(/^ {2}…\n$/m);
      return `\`\`\`sh\n${command}\n\`\`\`\n\n\`\`\`text\n${shown}\`\`\``;
    });
    await expect(now).toMatchFileSnapshot('../docs/checking.md');
  });

  it('names options that are there, and leaves out none', () => {
    const { stdout } = softleaf('npx softleaf check --help');
    const options = new Set([...stdout.matchAll(/^ +(--[a-z]+)/gm)].map(([, option]) => option));
    const named = new Set([...text.matchAll(/`?(--[a-z]+)\b/g)].map(([, option]) => option));
    expect([...named].sort()).toEqual([...options].sort());
  });

  it('quotes the example as it is', () => {
    const folder = join(root, 'examples/scenarios');
    const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.mjs'))
      .map((name) => readFileSync(join(folder, name), 'utf8'));
    const quotes = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code);
    expect(quotes).toHaveLength(5);
    const missing = quotes.filter((code) => !sources.some((source) => source.includes(code)));
    expect(missing).toEqual([]);
  });
});

describe('docs/linux-7.3.4.md', () => {
  const text = read('docs/linux-7.3.4.md');

  it('has every flaw of the kernel by name, with its function and the scenario that shows it', () => {
    const headings = [...text.matchAll(/^### ([a-z-]+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(MEND_NAMES);
    for (const name of MEND_NAMES) {
      const { function: of, file, shown } = MENDS[name];
      const part = text.slice(text.indexOf(`### ${name}\n`)).split('\n### ')[0];
      expect(part).toContain(`\`${of}\` in \`${file}\``);
      expect(part).toContain(`softleaf check scenarios/${shown}.json --unmended ${name}`);
    }
  });

  it('has every flaw of the test driver', () => {
    const rows = [...text.matchAll(/^\| (a|an|another|memory) [^|]+/gm)].map(([row]) =>
      row.slice(2).trim(),
    );
    expect(rows).toEqual(Object.values(FLAWS).map(({ name }) => name));
  });
});

describe('docs/programs.md', () => {
  it('says what each operation does, and of none that is not there', () => {
    const [, table] = read('docs/programs.md').split('\n## Operations\n');
    const rows = [...table.split('\n### ')[0].matchAll(/^\| (`.*?) \|/gm)];
    const told = rows.flatMap(([, cell]) => [...cell.matchAll(/`(\w+)`/g)].map(([, op]) => op));
    expect(told.sort()).toEqual(Object.keys(OPS).sort());
  });

  it('has the glyphs of the picture', () => {
    for (const [glyph, meaning] of LEGEND)
      expect(read('docs/programs.md')).toContain(`| \`${glyph}\` | ${meaning} |`);
  });
});
