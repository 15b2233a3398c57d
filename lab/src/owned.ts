/** Signals that others read, and only their own file sets. */
import { type ReadonlySignal, signal } from '@preact/signals';

/** A signal to be read, and what sets it. */
export function owned<T>(first: T): [value: ReadonlySignal<T>, set: (value: T) => void] {
  const own = signal(first);
  return [
    own,
    (value) => {
      own.value = value;
    },
  ];
}
