/**
 * Empties a folder of build output before it is built anew: a module that has moved would stay where it was.
 *
 * Usage: node scripts/clear.mjs FOLDER [KEPT...]: all but the entries KEPT
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...kept] = process.argv.slice(2);
for (const name of existsSync(folder) ? readdirSync(folder) : []) {
  if (!kept.includes(name)) rmSync(join(folder, name), { recursive: true });
}
