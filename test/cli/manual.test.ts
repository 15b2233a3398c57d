/** What is written down of the command line is what the commands are. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SHELLS } from '../../src/cli/choices.ts';
import { commandTree } from '../../src/cli/cli.ts';
import { completion } from '../../src/cli/completion.ts';
import { commandLinePage, commandsOf, manPage } from '../../src/cli/manual.ts';
import { EXIT_CODES, ExitCode } from '../../src/cli/terminal.ts';

const nowhere = { write: () => true };
const root = commandTree({ stdout: nowhere, stderr: nowhere, env: {} }, () => {});
const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
);
const names = commandsOf(root).map((command) => command.name());

it('docs/command-line.md and man/softleaf.1 are made of the commands (npm run docs)', async () => {
  await expect(commandLinePage(root)).toMatchFileSnapshot('../../docs/command-line.md');
  await expect(manPage(root, version)).toMatchFileSnapshot('../../man/softleaf.1');
});

it('every exit code is documented', () => {
  expect(EXIT_CODES.map(([code]) => code)).toEqual(Object.values(ExitCode).sort((a, b) => a - b));
  for (const command of commandsOf(root)) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    for (const [code, meaning] of EXIT_CODES)
      expect(help).toMatch(new RegExp(`^ +${code} +${meaning}`, 'm'));
  }
});

describe('completion', () => {
  it.each(SHELLS)('for %s has every command and every option', (shell) => {
    const script = completion(shell, root);
    for (const command of commandsOf(root)) {
      expect(script).toContain(command.name());
      for (const { long } of command.options) {
        const flag = shell === 'fish' ? `-l ${long?.slice(2)} ` : long;
        expect(script).toContain(flag);
      }
    }
  });

  /** What bash offers where the cursor is at the end of `line`. */
  function offered(...line: string[]): string[] {
    const words = ['softleaf', ...line].map((word) => `'${word}'`).join(' ');
    const script = `${completion('bash', root)}
COMP_WORDS=(${words}); COMP_CWORD=${line.length}; _softleaf; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr, status } = spawnSync('bash', ['--norc'], {
      input: script,
      encoding: 'utf8',
    });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    return stdout.split('\n').filter(Boolean);
  }

  it('works in bash', () => {
    expect(offered('').sort()).toEqual([...names, 'help'].sort());
    expect(offered('con')).toEqual(['conform']);
    expect(offered('run', '--co')).toEqual(['--counters', '--compare']);
    expect(offered('run', '--walk', '')).toEqual(['collect', 'unified', 'as-posted']);
    expect(offered('check', 'x.json', '--strategy', 'ex')).toEqual(['exhaustive']);
    expect(offered('init', '')).toEqual(['program', 'driver']);
    expect(offered('init', 'program', 'packag')).toContain('package.json');
    expect(offered('kernel', 'co')).toEqual(['conform', 'config']);
    expect(offered('kernel', 'ask', 'packag')).toContain('package.json');
    expect(offered('run', 'packag')).toEqual(expect.arrayContaining(['package.json']));
    expect(offered('check', '--seed', '')).toEqual([]);
  });
});
