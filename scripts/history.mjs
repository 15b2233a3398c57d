/**
 * Whether commits can be read: a subject of at most 72 characters with the room first, and a body that says
 * why. docs/contributing.md has the habit.
 *
 * Usage: node scripts/history.mjs: the newest commit, if that document was there
 *        node scripts/history.mjs --message FILE: one that is being written (scripts/hooks/commit-msg)
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const RULE = 'docs/contributing.md';
/** Commits that are looked at: the mistake of one that has others on it cannot be mended any more. */
const NEWEST = 1;
const SUBJECT_LENGTH = 72;

/** What is wrong with a commit's message; nothing for merges and those that git makes to be squashed. */
export function wrongWith(message) {
  const lines = message
    .replace(/^#.*\n?/gm, '')
    .trimEnd()
    .split('\n');
  const [subject, gap, ...body] = lines;
  if (/^(Merge|Revert|fixup!|squash!|amend!) /.test(subject)) return [];
  const wrong = [];
  if (subject.length > SUBJECT_LENGTH) {
    wrong.push(`the subject has ${subject.length} characters, more than ${SUBJECT_LENGTH}`);
  }
  if (!/^[A-Z][\w, -]{1,30}: \S/.test(subject))
    wrong.push('the subject does not begin with a room');
  if (gap) wrong.push('there is no empty line below the subject');
  if (!body.some((line) => line.trim())) wrong.push('there is no body that says why');
  return wrong;
}

/** The newest messages since the rule; none in a shallow clone that begins later. */
function messages() {
  const git = (...args) => {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
    return stdout;
  };
  const [since] = git('log', '--diff-filter=A', '--format=%H', '--', RULE).trim().split('\n');
  // not committed yet
  if (!since) return [];
  const log = git('log', '--no-merges', '-z', '--format=%h %B', '-n', NEWEST, `${since}..HEAD`);
  return log.split('\0').filter(Boolean);
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const [, , option, file] = process.argv;
  const one = option === '--message' ? [`commit ${readFileSync(file, 'utf8')}`] : null;
  const all = one ?? messages();
  const wrong = all.flatMap((text) => {
    const gap = text.indexOf(' ');
    const [hash, message] = [text.slice(0, gap), text.slice(gap + 1)];
    return wrongWith(message).map((why) => `${hash} "${message.split('\n')[0]}": ${why}`);
  });
  for (const line of wrong) console.error(line);
  if (!one) console.log(`looked at ${all.length} of the commits since ${RULE}`);
  process.exit(wrong.length > 0 ? 1 : 0);
}
