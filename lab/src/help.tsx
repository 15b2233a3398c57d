/** The list of keys. */
import { Dialog } from './dialog.tsx';
import { commands } from './keys.ts';
import { setHelping } from './store/state.ts';

const leave = (): void => {
  setHelping(false);
};

export function Help() {
  return (
    <Dialog label="Keys" onClose={leave}>
      <h2>Keys</h2>
      <dl class="keys">
        {commands().map(({ keys, what }) =>
          keys ? (
            <div key={what}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ) : null,
        )}
      </dl>
      <p class="soft">
        Tab goes from grid to grid, and the arrow keys inside one from square to square.
      </p>
      <p class="soft">
        <a href="./licenses.txt">The licenses</a> of what this page is made of.
      </p>
      <button type="button" onClick={leave}>
        Close
      </button>
    </Dialog>
  );
}
