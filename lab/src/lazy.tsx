/** A component that is loaded when it is first shown. */
import type { FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export function lazy(load: () => Promise<FunctionComponent>): FunctionComponent {
  let loaded: FunctionComponent | null = null;
  return function Lazy() {
    const [Component, set] = useState<{ of: FunctionComponent } | null>(loaded && { of: loaded });
    useEffect(() => {
      if (Component) return;
      load().then((component) => {
        loaded = component;
        set({ of: component });
      });
    }, [Component]);
    return Component ? <Component.of /> : null;
  };
}
