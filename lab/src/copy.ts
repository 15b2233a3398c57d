/** Copying the link to what is shown. */
import { LinkError } from '../../src/recording/internal.ts';
import { owned } from './owned.ts';
import { here } from './store/address.ts';

/** What was done, for a moment; empty: nothing. */
const [notice, setNotice] = owned('');

export { notice };

const SHOWN = 4000;
let timer = 0;

export function say(what: string): void {
  setNotice(what);
  clearTimeout(timer);
  timer = window.setTimeout(() => {
    setNotice('');
  }, SHOWN);
}

/** As pages without `navigator.clipboard` do it: those that are not served by HTTPS. */
function copySelected(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.readOnly = true;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return copied;
}

export async function copyLink(): Promise<void> {
  let hash: string;
  try {
    hash = await here();
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    say(error.message);
    return;
  }
  if (hash === '') return;
  history.replaceState(null, '', hash);
  const link = location.href;
  let copied = true;
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    copied = copySelected(link);
  }
  say(
    copied
      ? `The link is copied: ${link.length} characters.`
      : 'This browser does not let a page copy. The link is the address above.',
  );
}
