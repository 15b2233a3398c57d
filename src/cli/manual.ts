/** The commands as a manual: a man page, and docs/command-line.md. Both are made from the command tree. */
import type { Command, Option } from 'commander';
import { EXIT_CODES } from './terminal.ts';

/** Commands of a tree, its own `help` apart. */
export function commandsOf(root: Command): Command[] {
  const commands = root.createHelp().visibleCommands(root);
  return commands.filter((command) => command.name() !== 'help');
}

function optionsOf(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

/** A command line as one types it, without the program's name. */
function usage(command: Command): string {
  return `${command.name()} ${command.usage()}`.trim();
}

/** What an option is for, with its choices. */
function aboutOption({ description, argChoices }: Option): string {
  return argChoices ? `${description}: ${argChoices.join(', ')}` : description;
}

/** Text of a man page: backslashes, hyphens and lines that begin as a request would. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

/** `man softleaf`. */
export function manPage(root: Command, version: string): string {
  const name = root.name();
  const about = root.description().replace(/\.$/, '');
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${version}" "User Commands"`,
    '.SH NAME',
    `${name} \\- ${roff(about)}`,
    '.SH SYNOPSIS',
    `.B ${name}`,
    '.I command',
    '[options] [arguments]',
    '.SH DESCRIPTION',
    roff(root.description()),
    `.B ${name} help`,
    '.I command',
    'has examples.',
    '.SH COMMANDS',
  ];
  for (const command of commandsOf(root)) {
    lines.push(`.SS ${roff(usage(command))}`, roff(command.description()));
    for (const argument of command.registeredArguments) {
      const { description, argChoices } = argument;
      if (!description) continue;
      const choices = argChoices ? `: ${argChoices.join(', ')}` : '';
      lines.push('.TP', `.I ${argument.name()}`, roff(description + choices));
    }
    for (const option of optionsOf(command))
      lines.push('.TP', `.B ${roff(option.flags)}`, roff(aboutOption(option)));
  }
  lines.push('.SH EXIT STATUS');
  for (const [code, meaning] of EXIT_CODES) lines.push('.TP', `.B ${code}`, roff(meaning));
  lines.push(
    '.SH ENVIRONMENT',
    ...['.TP', '.B NO_COLOR', 'no colours, whatever the terminal'],
    ...['.TP', '.B SOFTLEAF_DEBUG', roff('the stack of an internal error is printed')],
  );
  return `${lines.join('\n')}\n`;
}

/** docs/command-line.md */
export function commandLinePage(root: Command): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const lines = [
    '# The command line',
    '',
    'Written by `npm run docs` from the commands themselves. `softleaf help COMMAND` has examples.',
    '',
  ];
  for (const command of commandsOf(root)) {
    lines.push(`## \`${root.name()} ${usage(command)}\``, '', command.description(), '');
    for (const argument of command.registeredArguments) {
      if (!argument.description) continue;
      const { argChoices, description } = argument;
      const choices = argChoices ? `: ${argChoices.join(', ')}` : '';
      lines.push(`- \`${argument.name()}\`: ${description}${choices}`);
    }
    if (command.registeredArguments.some(({ description }) => description)) lines.push('');
    lines.push('| option | |', '|---|---|');
    for (const option of optionsOf(command))
      lines.push(`| \`${cell(option.flags)}\` | ${cell(aboutOption(option))} |`);
    lines.push('');
  }
  lines.push('## Exit codes', '', '| code | |', '|---|---|');
  for (const [code, meaning] of EXIT_CODES) lines.push(`| ${code} | ${cell(meaning)} |`);
  lines.push('');
  return lines.join('\n');
}
