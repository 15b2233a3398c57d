/** The observable state of the test driver's devices, as plain data. */
import type { Describer, Description } from '../../mm/look/describe.ts';
import { placeOf } from '../../mm/look/leaves.ts';
import { DPT_ATOMIC, DPT_WRITE, pfnOf, tagOf } from '../device-table.ts';
import type { Dmirror } from '../dmirror.ts';

/** A device's page table: what each entry lets the device do, and with which page. */
export function describeMirror(mirror: Dmirror, describer: Describer): Description {
  const { k } = mirror;
  const entries = [...mirror.pt.entries()].sort(([a], [b]) => a - b);
  const table: Description = {};
  for (const [vpn, entry] of entries) {
    const tag = tagOf(entry);
    const right = tag === DPT_WRITE ? 'write' : tag === DPT_ATOMIC ? 'exclusive' : 'read';
    const page = pfnOf(entry);
    const what = k.isZero(page) || k.isHugeZero(page) ? 'zero page' : describer.number(page);
    table[placeOf(k, vpn)] = { right, page: what };
  }
  return {
    'pages in use': mirror.device.used,
    'next allocation fails': mirror.failAlloc,
    'page table': table,
  };
}
