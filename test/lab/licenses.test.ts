import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { licensesText, noticeOf, packageOf } from '../../lab/licenses.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-licenses-'));
  mkdirSync(join(dir, 'node_modules/bare'), { recursive: true });
  writeFileSync(join(dir, 'LICENSE'), 'own');
  const text = JSON.stringify({ version: '1.0.0', license: 'MIT' });
  writeFileSync(join(dir, 'node_modules/bare/package.json'), text);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the licenses in the lab's build", () => {
  it.each([
    ['/a/node_modules/crelt/index.js', 'crelt'],
    ['/a/node_modules/@preact/signals/dist/signals.mjs', '@preact/signals'],
    ['/a/node_modules/one/node_modules/@two/three/x.js', '@two/three'],
    ['\0vite/preload-helper.js', 'vite'],
    ['\0rolldown/runtime.js', 'rolldown'],
    ['/a/src/mm/fault.ts', null],
    ['\0virtual:kernel-map', null],
  ])('are known of %j', (module, name) => {
    expect(packageOf(module)).toBe(name);
  });

  it('name each package once, with its own text', () => {
    const preact = join(root, 'node_modules/preact/');
    const text = licensesText([`${preact}a.js`, `${preact}b.js`, join(root, 'lab/x.ts')], root);
    expect(text.split('\npreact ')).toHaveLength(2);
    expect(text).toContain(noticeOf('preact', root));
    expect(text).toContain('GNU GENERAL PUBLIC LICENSE');
    expect(noticeOf('vite', root)).not.toContain('bundled dependencies');
  });

  it('are missed where a package has none', () => {
    expect(() => licensesText([join(dir, 'node_modules/bare/x.js')], dir)).toThrow(
      /^bare has no license: /,
    );
  });
});
