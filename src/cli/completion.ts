/** `softleaf completion`: what a shell needs to complete command lines, from the commands themselves. */
import type { Argument, Command, Option } from 'commander';
import type { Shell } from './choices.ts';

/** A command as a shell has to know it. */
interface Completed {
  name: string;
  about: string;
  options: readonly Option[];
  arguments: readonly Argument[];
}

function commandsOf(root: Command): Completed[] {
  const help = root.createHelp();
  return help
    .visibleCommands(root)
    .filter((command) => command.name() !== 'help')
    .map((command) => ({
      name: command.name(),
      about: command.description(),
      options: help.visibleOptions(command),
      arguments: command.registeredArguments,
    }));
}

const flagsOf = (option: Option) => [option.long, option.short].filter((flag) => flag != null);
const takesValue = (option: Option) => option.required || option.optional;
/** Options whose value is a file. */
const takesFile = (option: Option) => /<file>/.test(option.flags);
const takesFiles = ({ arguments: all }: Completed) =>
  all.some((argument) => /program|file/i.test(argument.name()));
const words = (list: readonly string[]) => list.join(' ');

/** For bash, zsh: a word in single quotes. */
const single = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function bash(root: Command): string {
  const name = root.name();
  const commands = commandsOf(root);
  const values: string[] = [];
  const flags: string[] = [];
  const args: string[] = [];
  for (const command of commands) {
    flags.push(`    ${command.name}) flags=${single(words(command.options.flatMap(flagsOf)))} ;;`);
    for (const option of command.options.filter(takesValue)) {
      const cases = flagsOf(option).map((flag) => single(`${command.name} ${flag}`));
      let reply = ':';
      if (option.argChoices) reply = `_${name}_words ${single(words(option.argChoices))}`;
      else if (takesFile(option)) reply = `_${name}_files`;
      values.push(`    ${cases.join('|')}) ${reply}; return ;;`);
    }
    const [first] = command.arguments;
    const choices = first?.argChoices && `_${name}_words ${single(words(first.argChoices))}`;
    const files = takesFiles(command) && `_${name}_files`;
    if (choices && files)
      args.push(`    ${command.name}) if ((place == 0)); then ${choices}; else ${files}; fi ;;`);
    else if (choices || files) args.push(`    ${command.name}) ${choices || files} ;;`);
  }
  const all = words(commands.map((command) => command.name));
  return `# bash completion for ${name}: source <(${name} completion bash)
_${name}_words() {
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -W "$1" -- "$cur")
}
_${name}_files() {
  local line
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
}
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command='' flags='' place=0 i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -*) ;;
      *) if [[ $command ]]; then place=$((place + 1)); else command=\${COMP_WORDS[i]}; fi ;;
    esac
  done
  case "$command $prev" in
${values.join('\n')}
  esac
  case $command in
${flags.join('\n')}
    *) flags='--help --version' ;;
  esac
  case $cur in -*) _${name}_words "$flags"; return ;; esac
  case $command in
    '') _${name}_words ${single(`${all} help`)} ;;
${args.join('\n')}
  esac
}
complete -o filenames -F _${name} ${name}
`;
}

function zsh(root: Command): string {
  const name = root.name();
  const commands = commandsOf(root);
  const colon = (text: string) => text.replace(/[:[\]\\]/g, '\\$&');
  const valueOfOption = (option: Option) => {
    if (!takesValue(option)) return '';
    const optional = option.optional ? '::' : ':';
    if (option.argChoices) return `${optional}value:(${words(option.argChoices)})`;
    return `${optional}value:${takesFile(option) ? '_files' : ' '}`;
  };
  const argumentOf = (command: Completed) => {
    const [first] = command.arguments;
    const choices = first?.argChoices && single(`1:${first.name()}:(${words(first.argChoices)})`);
    return [
      ...(choices ? [choices] : []),
      ...(takesFiles(command) ? [single('*:file:_files')] : []),
    ];
  };
  const cases = commands.map((command) => {
    const options = command.options.flatMap((option) => {
      const about = colon(option.description);
      return flagsOf(option).map((flag) => single(`${flag}[${about}]${valueOfOption(option)}`));
    });
    const all = [...options, ...argumentOf(command)].map((word) => `        ${word}`);
    return `      ${command.name})\n        _arguments \\\n${all.join(' \\\n')}\n        ;;`;
  });
  const listed = commands.map(({ name: own, about }) => `    ${single(`${own}:${colon(about)}`)}`);
  return `#compdef ${name}
# zsh completion for ${name}: put this into a file _${name} in a folder of $fpath
_${name}() {
  local -a commands
  commands=(
${listed.join('\n')}
  )
  local curcontext="$curcontext" state line
  _arguments -C '(- *)'{-h,--help}'[help]' '(- *)'{-V,--version}'[version]' '1: :->command' '*::arg:->args'
  case $state in
    command) _describe -t commands command commands ;;
    args)
      case $words[1] in
${cases.join('\n')}
      esac
      ;;
  esac
}
_${name} "$@"
`;
}

function fish(root: Command): string {
  const name = root.name();
  const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = [
    `# fish completion for ${name}: ${name} completion fish > ~/.config/fish/completions/${name}.fish`,
    `complete -c ${name} -f`,
    `complete -c ${name} -n __fish_use_subcommand -l help -s h -d ${quoted('help')}`,
    `complete -c ${name} -n __fish_use_subcommand -l version -s V -d ${quoted('version')}`,
  ];
  for (const command of commandsOf(root)) {
    lines.push(
      `complete -c ${name} -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.about)}`,
    );
    const within = `complete -c ${name} -n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
    const [first] = command.arguments;
    if (first?.argChoices) lines.push(`${within} -a ${quoted(words(first.argChoices))}`);
    if (takesFiles(command)) lines.push(`${within} -F`);
    for (const option of command.options) {
      const parts = [within];
      if (option.long) parts.push(`-l ${option.long.slice(2)}`);
      if (option.short) parts.push(`-s ${option.short.slice(1)}`);
      if (option.argChoices) parts.push(`-x -a ${quoted(words(option.argChoices))}`);
      else if (takesFile(option)) parts.push('-r -F');
      else if (option.required) parts.push('-x');
      parts.push(`-d ${quoted(option.description)}`);
      lines.push(parts.join(' '));
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The script for a shell. */
export function completion(shell: Shell, root: Command): string {
  return { bash, zsh, fish }[shell](root);
}
