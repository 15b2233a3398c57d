/** The mistakes of docs/as-posted.md, in its order, for those who do not read `mm/` every day. */
export const MISTAKES: readonly string[] = [
  'To split a large folio the walk gives the page-table lock back first, and takes its reference only then. In between another CPU unmaps the page, and it is freed: the reference is taken on a free page.',
  'A CPU’s fault has locked a large folio and split it. The lock and the reference stay with the first page, not with the one that faulted: that one can be freed while the fault still uses it.',
  'A split fails whenever somebody else holds a reference, if only for a moment. The walk returns -EFAULT for that, as for a bad address, and a process that reads its own memory gets SIGBUS.',
  'A huge page on the device is to be brought back in part, so it has to be split. The function that splits takes only entries that are present, which this one is not: the walk tries again for ever.',
  'The walk finds a huge page that another task has locked for a moment. It says “error” for all its pages, and then returns success: the driver takes them for pages that it can never have.',
  'Where nothing is mapped yet, the walk reports a valid page, and its number is 0. A driver that maps what it is given lets its device read the first page of memory.',
  'For the zero page the walk overwrites the driver’s own flags, one of which says that the page is mapped for DMA. Nobody unmaps it afterwards.',
  'The dirty bit of an entry is looked at even where the entry points to device memory, and there that bit means something else. Memory that the process gave up for free counts as written to.',
  'A driver asks for its own pages only, to bring them back. The walk takes pages of RAM as well, and the driver’s copy takes those for pages of the device.',
];
