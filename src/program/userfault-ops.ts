/** Operations of a userfaultfd and of the thread that serves it. */
import { EAGAIN, ENOMEM, errnoName } from '../machine/errno.ts';
import type { Kernel$ } from '../machine/step.ts';
import { uffdCopy, uffdRead, uffdWake, userfaultStep } from '../mm/userfaultfd.ts';
import type { OpNamed } from './ops.ts';
import type { Result } from './schema.ts';
import type { System } from './system.ts';
import { outcome, wordPages } from './values.ts';

/** UFFDIO_COPY, a page after the other, up to the first error. */
export function* uffdCopyPages(
  system: System,
  op: OpNamed<'uffd_copy'>,
  start: number,
): Kernel$<Result> {
  const k = system.kernel;
  const ctx = system.userfaultfd(op.proc);
  let ret = 0;
  let done = 0;
  while (done < op.pages) {
    const page = wordPages(op.tag, done, 1, k.geometry.pageBytes);
    ret = yield* uffdCopy(k, ctx, start + done, page);
    if (ret) break;
    done++;
  }
  return { ret: errnoName(ret), done };
}

/**
 * A monitor's thread: answers so many missing faults, each with a page, or as many as come until it is
 * told to stop. Where its page is refused, because something is there or nothing is registered any more,
 * it lets the fault go on.
 */
export function* uffdServe(system: System, op: OpNamed<'uffd_serve'>): Kernel$<Result> {
  const k = system.kernel;
  const { geometry } = k;
  const process = system.process(op.proc);
  const ctx = system.userfaultfd(op.proc);
  let done = 0;
  for (; done < op.faults; done++) {
    const vpn = yield* uffdRead(k, ctx, () => process.monitorStops);
    if (vpn < 0) break;
    const page = wordPages(op.tag, geometry.pageOf(vpn), 1, geometry.pageBytes);
    let ret: number;
    do ret = yield* uffdCopy(k, ctx, vpn, page);
    while (ret === -EAGAIN || ret === -ENOMEM);
    if (ret) yield* uffdWake(k, ctx, vpn, vpn + 1);
  }
  return { ret: 'ok', done };
}

/** The monitor stops before it answers another fault, as one that polls an eventfd too. */
export function* uffdStop(system: System, op: OpNamed<'uffd_stop'>): Kernel$<Result> {
  const k = system.kernel;
  if (k.stepping) yield userfaultStep(k, system.userfaultfd(op.proc));
  system.process(op.proc).monitorStops = true;
  return outcome(0);
}
