/**
 * What the lab in dist/lab was built of: tests build it where it is of something else. Run alone, it notes that it is of
 * what is there now.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const STAMP = join(root, 'build/lab.stamp');
/** All that is in it, or says how it is made. */
const SOURCES = [
  ...['lab', 'src', 'docs', 'examples', 'scenarios', 'scripts', 'LICENSE'],
  ...['package.json', 'package-lock.json', 'tsconfig.json'],
];

function filesOf(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  const all = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return all.map((name) => join(path, name)).filter((name) => statSync(name).isFile());
}

/** Changes with every source, and with everything that was built. */
function stampNow() {
  const hash = createHash('sha256').update(process.version);
  for (const path of SOURCES.flatMap((name) => filesOf(join(root, name))))
    hash.update(path).update(readFileSync(path));
  for (const path of filesOf(join(root, 'dist/lab'))) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}`);
  }
  return hash.digest('hex');
}

/** Whether the lab that is built is of the sources as they are. */
export function isLabCurrent() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stampNow();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, stampNow());
}
