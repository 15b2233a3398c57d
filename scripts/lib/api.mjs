/**
 * What the package's entry points export, read from the declarations that `npm run build` writes: names,
 * signatures and docstrings.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'vite';

/** The names that a declaration declares. */
function namesOf(declaration) {
  if (declaration.type === 'VariableDeclaration') {
    return declaration.declarations.map(({ id }) => id.name);
  }
  return [declaration.id.name];
}

/** The comment that ends right before a place. */
function docBefore(code, comments, start) {
  const doc = comments.find(
    ({ value, end }) => value.startsWith('*') && end <= start && !code.slice(end, start).trim(),
  );
  return doc ? textOf(doc.value) : '';
}

/** A docstring without its stars. */
function textOf(comment) {
  return comment
    .replace(/^\*/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

/** A declaration as a caller sees it: without comments and what is private. */
function signatureOf(code, comments, { start, end, declaration }) {
  const hidden = comments.filter((comment) => comment.start >= start && comment.end <= end);
  for (const member of declaration.body?.body ?? []) {
    const isPrivate =
      member.accessibility === 'private' || member.key?.type === 'PrivateIdentifier';
    if (isPrivate) hidden.push(member);
  }
  let text = '';
  let at = start;
  for (const part of hidden.sort((a, b) => a.start - b.start)) {
    text += code.slice(at, part.start);
    at = part.end;
  }
  text += code.slice(at, end);
  return text
    .replace(/^(export )?(declare )?/, '')
    .replace(/constructor\([\s\S]*?\);/g, (made) => made.replace(/\s+/g, ' ').replace('( ', '('))
    .split('\n')
    .filter((line) => line.trim())
    .map((line) => line.trimEnd())
    .join('\n');
}

/** The declarations of one file, and what it exports of its own and of others. */
function readModule(path) {
  const code = readFileSync(path, 'utf8');
  const { program, comments, errors } = parseSync(path, code, { lang: 'dts' });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const module = { declared: new Map(), exported: new Map(), stars: [], doc: '' };
  const imports = new Map();
  const from = (node) => resolve(dirname(path), node.source.value.replace(/\.[jt]s$/, '.d.ts'));
  for (const node of program.body) {
    if (node.type === 'ExportAllDeclaration') {
      module.stars.push(from(node));
      continue;
    }
    if (node.type === 'ImportDeclaration') {
      for (const { local, imported } of node.specifiers) {
        imports.set(local.name, { name: imported.name, path: from(node) });
      }
      continue;
    }
    const declaration = node.type === 'ExportNamedDeclaration' ? node.declaration : node;
    if (declaration) {
      const doc = docBefore(code, comments, node.start);
      const { start, end } = node;
      const signature = signatureOf(code, comments, { start, end, declaration });
      for (const name of namesOf(declaration)) {
        const before = module.declared.get(name);
        module.declared.set(name, {
          doc: before?.doc || doc,
          // overloads, and a type and a value of the same name
          signature: before ? `${before.signature}\n${signature}` : signature,
        });
        if (node !== declaration) module.exported.set(name, { name, path });
      }
      continue;
    }
    for (const { local, exported } of node.specifiers) {
      const here = imports.get(local.name) ?? { name: local.name, path };
      const there = node.source ? { name: local.name, path: from(node) } : here;
      module.exported.set(exported.name, there);
    }
  }
  const [first] = comments;
  if (first?.start === 0) module.doc = textOf(first.value);
  return module;
}

/**
 * Reads every entry point of package.json that has types.
 *
 * @param root the package's folder, built
 * @returns of each its name, what its file says of it, whole rooms that it passes on, and its exports by name:
 *   signature, docstring and the source file
 */
export function readApi(root) {
  const modules = new Map();
  const read = (path) => {
    if (!modules.has(path)) modules.set(path, readModule(path));
    return modules.get(path);
  };
  const find = (path, name) => {
    const module = read(path);
    const there = module.exported.get(name);
    if (there && there.path !== path) return find(there.path, there.name);
    if (there) {
      const { signature, doc } = module.declared.get(there.name);
      const source = relative(join(root, 'dist'), path).replace(/\.d\.ts$/, '.ts');
      // of a file with one export its header is about that
      const told = doc || (module.exported.size === 1 ? module.doc : '');
      return { name, signature, doc: told, file: `src/${source}` };
    }
    for (const star of module.stars) {
      const found = find(star, name);
      if (found) return found;
    }
    return null;
  };
  const namesIn = (path) => {
    const { exported, stars } = read(path);
    return new Set([...exported.keys(), ...stars.flatMap((star) => [...namesIn(star)])]);
  };
  const { name: packageName, exports } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const entries = Object.entries(exports).filter(([, { types }]) => types);
  const nameOf = (key) => packageName + key.slice(1);
  const pathOf = new Map(entries.map(([key, { types }]) => [resolve(root, types), nameOf(key)]));
  return [...pathOf].map(([path, name]) => {
    const whole = read(path).stars.filter((star) => pathOf.has(star));
    const passed = new Set(whole.flatMap((star) => [...namesIn(star)]));
    const names = [...namesIn(path)].filter((one) => !passed.has(one));
    return {
      name,
      doc: read(path).doc,
      passesOn: whole.map((star) => pathOf.get(star)),
      exports: names.sort().map((one) => ({ ...find(path, one), name: one })),
    };
  });
}
