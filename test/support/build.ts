/** Before any test: what the executable and the package's exports are made of is built, if it has changed. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILED, compile } from './compiled.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
  .concat(['src', 'scripts', 'test/support'])
  .map((name) => join(root, name));
/** What was built of what. */
const STAMP = join(root, 'build/tested.stamp');

function filesOf(path: string): string[] {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  const all = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return all.map((name) => join(path, name)).filter((name) => statSync(name).isFile());
}

/** Changes with every source, and with everything that was built. */
function stampNow(): string {
  const hash = createHash('sha256').update(process.version);
  for (const path of SOURCES.flatMap(filesOf)) hash.update(path).update(readFileSync(path));
  for (const path of [join(root, 'dist'), COMPILED].flatMap(filesOf)) {
    if (path.startsWith(join(root, 'dist/lab'))) continue;
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}`);
  }
  return hash.digest('hex');
}

export default async function build(): Promise<void> {
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stampNow()) return;
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    encoding: 'utf8',
  });
  // tsc exits with 1 where it wrote nothing; type errors are another step's business.
  if (status === 1 || status === null) throw new Error(`no build:\n${stdout}${stderr}`);
  await compile();
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, stampNow());
}
