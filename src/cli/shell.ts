/** Text that is to be pasted into a shell. */

/**
 * A file's name as one word of a shell: nothing in it is run, nothing is taken for an option.
 * What a terminal would obey is written as its number.
 */
export function shellWord(name: string): string {
  const text = name.startsWith('-') && name !== '-' ? `./${name}` : name;
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
  if (!/[\x00-\x1f\x7f-\x9f]/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  // of bash, zsh and ksh
  const escaped = text.replace(/[\\']/g, (letter) => `\\${letter}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
  const numbered = escaped.replace(/[\x00-\x1f\x7f-\x9f]/g, (letter) => {
    return [...new TextEncoder().encode(letter)]
      .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
      .join('');
  });
  return `$'${numbered}'`;
}
