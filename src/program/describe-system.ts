/** The observable state of a system, as plain data. */

import { isDevice } from '../drivers/driver.ts';
import { describeMirror } from '../drivers/look/describe-mirror.ts';
import { Describer, type Description, describeKernel } from '../mm/look/describe.ts';
import type { System } from './system.ts';

/**
 * Describes everything that a program could find out from now on: each process's areas and pages,
 * which pages are the same, pins, the devices and their page tables.
 * @param exact also what no program can find out, such as accessed and dirty bits
 */
export function describeSystem(system: System, { exact = false } = {}): Description {
  const describer = new Describer(system.kernel, {
    exact,
    ownerName: (owner) => (isDevice(owner) ? `device ${owner.id}` : 'a device'),
  });
  const description: Description = describeKernel(system.kernel, describer);
  system.mirrors.forEach((mirror, number) => {
    if (!mirror.isOpen) return;
    const again = number < system.devices.length ? '' : `, opened as ${number}`;
    description[`device ${mirror.device.id}${again}`] = describeMirror(mirror, describer);
  });
  const page = (pfn: number): Description => ({
    page: describer.number(pfn),
    content: describer.content(pfn),
  });
  system.processes.forEach((process, proc) => {
    if (!process) return;
    const pins: Description = {};
    for (const [id, pin] of process.pins) {
      if (!pin) pins[id] = 'failed';
      else if ('processes' in pin) pins[id] = page(pin.page);
      else pins[id] = { pinned: pin.pinned, ...Object.fromEntries(pin.pages.map(page).entries()) };
    }
    description[`pins of process ${proc}`] = pins;
  });
  return description;
}
