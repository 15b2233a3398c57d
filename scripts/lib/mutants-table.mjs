/** The tables of what found which mistake. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from './mutate.mjs';

/** Why a mistake is none. */
export const EQUIVALENT = {
  order: 'the two statements have nothing in common that anybody could see between them',
  slice:
    'no step lies between the two, so that no schedule tells them apart (on a real machine another CPU may)',
  implied: 'the rest of the condition, or every caller, says so already',
  same: 'both give the same for everything that comes to this place',
  unread: 'nobody reads what is different',
  cost: 'it is done once more, or in smaller parts, and comes to the same',
  own: 'what is left out is an assertion of the model’s own',
  stock: 'both are right: Linux does not say which of the two',
};

/** Why nothing finds a mistake, and what would. */
export const GAPS = {
  reach: 'no search comes to the place: a state or an operation that does',
  time: 'a part of the searches that come to the place was tried, and found nothing: more time',
  state: 'no state of memory in which it matters: the state that the sentence names',
  race: 'only in a window that no two operations of the suite meet in: the pair that the sentence names',
  unseen:
    'something else comes of it, and nobody looks at it: the observer that the sentence names',
  unjudged: 'nobody has looked at it yet',
};

/** A mistake as long as its place is not changed, whatever is drawn with it. */
export const keyOf = ({ file, function: name, kind, was, now }) =>
  [file, name, kind, was, now].join(' | ');

/**
 * The mistakes that docs/mutants.tsv has, each with its key and what was made of it; none where its tables are of another
 * seed.
 */
export function readTable(root, seed) {
  const page = readFileSync(join(root, 'docs', 'mutants.md'), 'utf8');
  if (!page.includes(`that seed ${seed} draws`)) return [];
  const [, ...lines] = readFileSync(join(root, 'docs', 'mutants.tsv'), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const [verdict, place, name, kind, was, now, by] = line.split('\t');
    const file = place.replace(/:\d+$/, '');
    return { verdict, place, by, key: keyOf({ file, function: name, kind, was, now }) };
  });
}

/** What has been made of a mistake. */
function verdictOf(mutant, result, judged) {
  const own = judged.get(keyOf(mutant));
  if (result.killer) return { verdict: result.killer, by: killerText(result) };
  if (own?.equivalent) return { verdict: 'equivalent', by: `${own.equivalent}: ${own.why}` };
  if (own?.gap) return { verdict: 'gap', by: `${own.gap}: ${own.why}` };
  const { searches, tried } = result;
  const why = searches === 0 ? 'reach' : tried < searches ? 'time' : 'unjudged';
  return { verdict: 'gap', by: `${why}: ${tried} of ${searches} searches` };
}

function killerText({ killer, by, title, seconds, schedules }) {
  if (killer !== 'check') return by;
  const effort = seconds === undefined ? '' : ` [${seconds} s, ${schedules} schedules]`;
  return `${title}${by ? `; ${by}` : ''}${effort}`;
}

/** Characters of a field of docs/mutants.tsv. */
const MOST = 140;

const percent = (part, whole) => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`);

function rowsOf(name, groups) {
  const lines = [
    `| ${name} | mutants | check | conform | selftest | equivalent | gaps | killed | by check alone |`,
    '|---|---|---|---|---|---|---|---|---|',
  ];
  for (const [title, list] of groups) {
    const of = (verdict) => list.filter((one) => one.verdict === verdict).length;
    const real = list.length - of('equivalent');
    const killed = of('check') + of('conform') + of('selftest');
    const cells = [
      title,
      list.length,
      of('check'),
      of('conform'),
      of('selftest'),
      of('equivalent'),
      of('gap'),
      percent(killed, real),
      percent(of('check'), real),
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

function between(text, name, inner) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/mutants.md: ${begin} and ${end} are missing`);
  return `${text.slice(0, from + begin.length)}\n\n${inner}\n\n${text.slice(to)}`;
}

/**
 * Writes docs/mutants.tsv, a line for each mistake, and the tables of docs/mutants.md.
 * @returns an exit code: 1 where some were not tried
 */
export function writeTable(root, { possible, seed, mutants, results }) {
  const path = join(root, 'scripts', 'lib', 'mutants-judged.json');
  const list = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
  const judged = new Map(list.map((one) => [one.mutant, one]));
  const all = mutants
    .filter(({ id }) => results.has(id))
    .map((mutant) => ({ ...mutant, ...verdictOf(mutant, results.get(mutant.id), judged) }));
  const clean = (text) => {
    const line = String(text).replace(/[\t\r\n]+/g, ' ');
    return line.length <= MOST ? line : `${line.slice(0, MOST - 1)}…`;
  };
  const lines = all.map(({ verdict, file, line, function: name, kind, was, now, by }) =>
    [verdict, `${file}:${line}`, name, kind, was, now, by].map(clean).join('\t'),
  );
  const head = ['verdict', 'place', 'function', 'kind', 'was', 'now', 'by'].join('\t');
  writeFileSync(join(root, 'docs', 'mutants.tsv'), `${[head, ...lines.sort()].join('\n')}\n`);

  const byKind = KINDS.map((kind) => [kind, all.filter((one) => one.kind === kind)]);
  const rooms = ['hmm', 'mm', 'drivers'];
  const byRoom = rooms.map((room) => [
    `\`src/${room}\``,
    all.filter(({ file }) => file.startsWith(`src/${room}/`)),
  ]);
  const reasons = (verdict, texts) =>
    Object.entries(texts)
      .map(([name, text]) => {
        const own = all.filter((one) => one.verdict === verdict && one.by.startsWith(`${name}:`));
        return own.length === 0 ? '' : `| ${name} | ${own.length} | ${text} |`;
      })
      .filter(Boolean);
  const sections = [
    `Tried: ${all.length} of the ${mutants.length} that seed ${seed} draws from ${possible} possible ones.`,
    rowsOf('kind', [...byKind, ['**all**', all]]),
    rowsOf('room', byRoom),
    ['| equivalent | mutants | as |', '|---|---|---|', ...reasons('equivalent', EQUIVALENT)].join(
      '\n',
    ),
    ['| gap | mutants | what would close it |', '|---|---|---|', ...reasons('gap', GAPS)].join(
      '\n',
    ),
  ];
  const page = join(root, 'docs', 'mutants.md');
  writeFileSync(page, between(readFileSync(page, 'utf8'), 'tables', sections.join('\n\n')));
  const untried = mutants.length - all.length;
  if (untried > 0) console.error(`${untried} were not tried`);
  return untried > 0 ? 1 : 0;
}
