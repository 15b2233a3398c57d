/** Light or dark: as the system says, unless one has said otherwise. */
import { effect } from '@preact/signals';
import { owned } from './owned.ts';

export type Theme = 'system' | 'light' | 'dark';
const KEY = 'softleaf-lab-theme';

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

const [theme, setTheme] = owned<Theme>(kept());

export { theme };

effect(() => {
  const { documentElement: root } = document;
  if (theme.value === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme.value;
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // a page without storage forgets it
  }
});

export function nextTheme(): void {
  const order: Theme[] = ['system', 'light', 'dark'];
  setTheme(order[(order.indexOf(theme.value) + 1) % order.length]);
}
