/**
 * Grids of squares have one tab stop each. The arrow keys go from square to square in a grid that was
 * reached with the keyboard; after a click they step, as everywhere else. Grids are found by their class
 * and not told of, so that whatever draws one has this.
 */
const GRIDS = '.cells, .chips';

/** The focus is where a pointer has put it. */
let pointed = false;
/** Where the focus was in a grid, should a step take that square away. */
let last: { grid: Element; index: number } | null = null;

const squaresOf = (grid: Element): HTMLButtonElement[] => [...grid.querySelectorAll('button')];

function stopAt(squares: readonly HTMLButtonElement[], stop: HTMLButtonElement): void {
  for (const square of squares) {
    const wanted = square === stop ? 0 : -1;
    if (square.getAttribute('tabindex') !== String(wanted)) square.tabIndex = wanted;
  }
}

/** Gives every grid its one tab stop: where it was, else what is selected, else the first square. */
function settle(root: ParentNode): void {
  for (const grid of root.querySelectorAll(GRIDS)) {
    const squares = squaresOf(grid);
    if (squares.length === 0) continue;
    const stop =
      squares.find((square) => square.getAttribute('tabindex') === '0') ??
      squares.find((square) => square.getAttribute('aria-pressed') === 'true') ??
      squares[0];
    stopAt(squares, stop);
  }
  if (last && document.activeElement === document.body && last.grid.isConnected) {
    const squares = squaresOf(last.grid);
    const next = squares[Math.min(last.index, squares.length - 1)];
    next?.focus({ preventScroll: true });
  }
}

/** The square that lies above or below. */
function inNextRow(
  squares: readonly HTMLButtonElement[],
  from: HTMLButtonElement,
  down: boolean,
): HTMLButtonElement | undefined {
  const here = from.getBoundingClientRect();
  let best: HTMLButtonElement | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const square of squares) {
    const there = square.getBoundingClientRect();
    const rows = down ? there.top - here.bottom : here.top - there.bottom;
    if (rows < -1) continue;
    const far = rows * 1000 + Math.abs(there.left - here.left);
    if (far < least) [least, best] = [far, square];
  }
  return best;
}

function onKey(event: KeyboardEvent): void {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || pointed) return;
  const square = event.target as HTMLButtonElement;
  const grid = square.matches?.('button') ? square.closest(GRIDS) : null;
  if (!grid) return;
  const squares = squaresOf(grid);
  const at = squares.indexOf(square);
  const to: Record<string, () => HTMLButtonElement | undefined> = {
    ArrowRight: () => squares[at + 1],
    ArrowLeft: () => squares[at - 1],
    ArrowDown: () => inNextRow(squares, square, true),
    ArrowUp: () => inNextRow(squares, square, false),
    Home: () => squares[0],
    End: () => squares.at(-1),
  };
  if (!(event.key in to)) return;
  event.preventDefault();
  to[event.key]()?.focus();
}

/** @returns what undoes it */
export function rove(root: HTMLElement): () => void {
  const onFocus = (event: FocusEvent): void => {
    const square = event.target as HTMLButtonElement;
    const grid = square.closest(GRIDS);
    last = null;
    if (!grid) return;
    const squares = squaresOf(grid);
    stopAt(squares, square);
    last = { grid, index: squares.indexOf(square) };
  };
  const onPointer = (): void => {
    pointed = true;
    last = null;
  };
  const onTab = (event: KeyboardEvent): void => {
    if (event.key !== 'Tab') return;
    pointed = false;
    last = null;
  };
  const watcher = new MutationObserver(() => settle(root));
  watcher.observe(root, { childList: true, subtree: true });
  settle(root);
  root.addEventListener('focusin', onFocus);
  root.addEventListener('keydown', onKey);
  document.addEventListener('pointerdown', onPointer, true);
  document.addEventListener('keydown', onTab, true);
  return () => {
    watcher.disconnect();
    root.removeEventListener('focusin', onFocus);
    root.removeEventListener('keydown', onKey);
    document.removeEventListener('pointerdown', onPointer, true);
    document.removeEventListener('keydown', onTab, true);
  };
}
