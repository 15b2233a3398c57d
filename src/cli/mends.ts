/** `softleaf mends`: what Linux has wrong of what is modelled here, and what the model does about it. */
import { FLAWS } from '../drivers/light.ts';
import { MEND_NAMES, MENDS } from '../mm/light.ts';
import { ExitCode, jsonLine, painter, type Terminal } from './terminal.ts';

export interface MendsOptions {
  json?: boolean;
}

/** A flaw of Linux that the model mends. */
export interface ListedMend {
  /** Of the kernel: the name that turns its mend off. Of the test driver: what it is told by. */
  name: string;
  where: 'kernel' | 'lib/test_hmm.c';
  /** The kernel's function and file. */
  function: string;
  file: string;
  flaw: string;
  effect: string;
  /** The command that shows it. */
  shown: string;
}

/** All of them, the kernel's first. */
export function listedMends(): ListedMend[] {
  const kernel = MEND_NAMES.map((name): ListedMend => {
    const { mend: _, shown, ...row } = MENDS[name];
    const command = `softleaf check scenarios/${shown}.json --unmended ${name}`;
    return { name, where: 'kernel', ...row, shown: command };
  });
  const driver = Object.values(FLAWS).map(
    ({ name, why }): ListedMend => ({
      name,
      where: 'lib/test_hmm.c',
      function: /\w+\(\)/.exec(why)?.[0] ?? '',
      file: 'lib/test_hmm.c',
      flaw: why,
      effect: name,
      shown: '"machine": {"driver": "stock"}',
    }),
  );
  return [...kernel, ...driver];
}

/** The command. */
export function mendsCommand({ json }: MendsOptions, { stdout, env }: Terminal): ExitCode {
  const all = listedMends();
  if (json) {
    stdout.write(jsonLine(all));
    return ExitCode.clean;
  }
  const paint = painter(stdout, env);
  const heads = {
    kernel: 'of the kernel: each mend is turned off by its name (--unmended NAME, or all)',
    'lib/test_hmm.c':
      'of the test driver, lib/test_hmm.c: all are there with "machine": {"driver": "stock"}',
  } as const;
  let text = '';
  for (const where of ['kernel', 'lib/test_hmm.c'] as const) {
    text += `${paint('bold', heads[where])}\n\n`;
    for (const one of all.filter((row) => row.where === where)) {
      text += `${paint('cyan', one.name)}\n`;
      if (where === 'kernel') text += `    ${one.function}, ${one.file}\n`;
      text += `    flaw:   ${one.flaw}\n`;
      if (where === 'kernel') text += `    effect: ${one.effect}\n    ${paint('dim', one.shown)}\n`;
    }
    text += '\n';
  }
  stdout.write(text.trimEnd().concat('\n'));
  return ExitCode.clean;
}
