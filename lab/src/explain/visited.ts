/** Whether somebody has been here before: then the introduction does not come by itself. */
const KEY = 'softleaf-lab-introduced';

export function newcomer(): boolean {
  try {
    return localStorage.getItem(KEY) === null;
  } catch {
    // a page without storage would show it again and again
    return false;
  }
}

export function introduced(): void {
  try {
    localStorage.setItem(KEY, 'yes');
  } catch {
    // nothing to keep it in
  }
}
