/** What whoever watches calls pages and devices. */
import { isDevice } from '../../drivers/index.ts';
import type { DeviceView, Kernel } from '../../mm/index.ts';
import { placeOf } from '../../mm/internal.ts';

/** A page of an address space: that of the first process, as most are, without saying so. */
export function pageWords(k: Kernel, space: number, vpn: number): string {
  const process = k.mms.findIndex(({ id }) => id === space);
  return `${placeOf(k, vpn)}${process > 0 ? ` of process ${process}` : ''}`;
}

/** A device: by its number where it has one, else by its place among those that are watched. */
export function deviceWords(k: Kernel, device: object): string {
  if (isDevice(device)) return `device ${device.id}`;
  const at = k.deviceViews.findIndex((view: DeviceView) => view.device === device);
  return at < 0 ? 'a device' : `device ${at}`;
}
