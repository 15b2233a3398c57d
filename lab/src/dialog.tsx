/** What lies over the page: the focus stays inside, Escape leaves, and the focus goes back to where it was. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

export function Dialog(props: {
  label: string;
  onClose: () => void;
  /** How large it is, and where. */
  kind?: 'wide' | 'wide top' | 'check';
  children: ComponentChildren;
}) {
  const { label, onClose, kind, children } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const { current } = dialog;
    current?.showModal();
    return () => current?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`sheet ${kind ?? ''}`}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        // beside it is its backdrop, which is the dialog's own
        const { left, right, top, bottom } = event.currentTarget.getBoundingClientRect();
        const { clientX: x, clientY: y, target } = event;
        const outside = x < left || x > right || y < top || y > bottom;
        if (target === event.currentTarget && outside) onClose();
      }}
    >
      {children}
    </dialog>
  );
}

/** Whether something lies over the page, and keys are not the page's. */
export const covered = (): boolean => document.querySelector('dialog[open]') !== null;
