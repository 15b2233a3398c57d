/** The whole of a recording in a strip: where something happens, and what part of it the timeline shows. */
import { useComputed } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { lanes } from '../store/showing.ts';
import { length, step } from '../store/state.ts';
import { MARKS } from './marks.ts';
import { from, hidden, lookAt, scale, seen } from './sight.ts';
import { lowerBound } from './timeline-draw.ts';

/** Parts of the strip, each with something in it or not. */
const PARTS = 400;
const TALL = 5;

/** A path over the parts in which a list has something. */
function partsOf(at: Int32Array, whole: number, y: number, tall: number): string {
  let path = '';
  for (let i = 0; i < at.length; ) {
    const part = Math.floor((at[i] / whole) * PARTS);
    path += `M${part} ${y}h1v${tall}h-1z`;
    i = Math.max(
      i + 1,
      lowerBound(at.length, (n) => at[n], ((part + 1) / PARTS) * whole),
    );
  }
  return path;
}

export function Overview() {
  const dragging = useRef(false);
  const paths = useComputed(() => {
    const whole = Math.max(1, length.value);
    return lanes.value.map(({ steps, events }, i) => ({
      steps: partsOf(steps, whole, i * TALL, 2),
      // what comes first in the list lies on top
      marks: MARKS.filter(({ kind }) => !hidden.value.has(kind))
        .map(({ kind, color }) => ({
          kind,
          color,
          path: partsOf(events.get(kind) ?? new Int32Array(), whole, i * TALL + 2, TALL - 3),
        }))
        .reverse(),
    }));
  });
  const whole = Math.max(1, length.value);
  const tall = Math.max(1, paths.value.length) * TALL;
  const go = (event: PointerEvent): void => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    lookAt(((event.clientX - box.left) / box.width) * whole);
  };
  return (
    <svg
      class="overview"
      viewBox={`0 0 ${PARTS} ${tall}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      onPointerDown={(event) => {
        dragging.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={(event) => dragging.current && go(event)}
      onPointerUp={() => {
        dragging.current = false;
      }}
    >
      {paths.value.map(({ steps, marks }, i) => (
        <g key={i}>
          <path d={steps} fill="var(--soft)" fill-opacity={0.45} />
          {marks.map(({ kind, color, path }) => (
            <path key={kind} d={path} fill={`var(${color})`} />
          ))}
        </g>
      ))}
      <rect
        class="sight"
        x={(from.value / whole) * PARTS}
        y={0}
        width={Math.min(1, seen() / whole) * PARTS}
        height={tall}
        data-scale={scale.value}
      />
      <rect class="here" x={(step.value / whole) * PARTS - 0.4} y={0} width={0.8} height={tall} />
    </svg>
  );
}
