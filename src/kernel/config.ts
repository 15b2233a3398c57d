/** What a kernel should be configured with, and what is left out where it is not. */

/** An option of the kernel's configuration. */
export interface ConfigOption {
  name: string;
  /** A module will do. */
  module?: true;
  /** What cannot be done without it. */
  without: string;
  /** Nothing at all can be done without it. */
  needed?: true;
}

const guest = 'no kernel of ours comes up under QEMU';

/** What Softleaf wants, in the order in which it is printed. */
export const CONFIG: readonly ConfigOption[] = [
  { name: '64BIT', without: guest, needed: true },
  { name: 'BLK_DEV_INITRD', without: guest, needed: true },
  { name: 'BINFMT_ELF', without: guest, needed: true },
  { name: 'TTY', without: guest, needed: true },
  { name: 'SERIAL_8250', without: guest, needed: true },
  { name: 'SERIAL_8250_CONSOLE', without: 'nothing is heard of a kernel that dies' },
  { name: 'DEVTMPFS', without: 'no device is there: no program can be asked', needed: true },
  { name: 'PROC_FS', without: 'no pagemap, no scan, no clear_soft_dirty' },
  { name: 'SYSFS', without: 'no huge page pool, no virtio-serial' },
  { name: 'PRINTK', without: 'what the kernel reports is not seen' },
  { name: 'PCI', without: 'results come over the slow second UART' },
  { name: 'VIRTIO_PCI', without: 'results come over the slow second UART' },
  { name: 'VIRTIO_CONSOLE', without: 'results come over the slow second UART' },
  { name: 'SHMEM', without: 'no shared memory, no files' },
  { name: 'MEMFD_CREATE', without: 'no files: kinds file-private and file-shared' },
  { name: 'TRANSPARENT_HUGEPAGE', without: 'no huge pages' },
  { name: 'HUGETLBFS', without: 'no mappings of kind hugetlb' },
  { name: 'PROC_PAGE_MONITOR', without: 'no pagemap, no scan, no clear_soft_dirty' },
  { name: 'MEM_SOFT_DIRTY', without: 'no clear_soft_dirty; bits of pagemap differ' },
  { name: 'USERFAULTFD', without: 'no uffd_register, uffd_copy and so on' },
  { name: 'ADVISE_SYSCALLS', without: 'no madvise' },
  { name: 'MIGRATION', without: 'no device memory' },
  { name: 'MEMORY_HOTPLUG', without: 'no device memory' },
  { name: 'MEMORY_HOTREMOVE', without: 'no device memory' },
  { name: 'SPARSEMEM_VMEMMAP', without: 'no device memory' },
  { name: 'ZONE_DEVICE', without: 'no device memory' },
  { name: 'DEVICE_PRIVATE', without: 'no device memory' },
  { name: 'RUNTIME_TESTING_MENU', without: 'no test driver: no operation of a device' },
  { name: 'TEST_HMM', module: true, without: 'no test driver: no operation of a device' },
  { name: 'DEBUG_FS', without: 'no gup' },
  { name: 'GUP_TEST', without: 'no gup' },
];

/** The options as a fragment for scripts/kconfig/merge_config.sh, or vng --config. */
export function configFragment(): string {
  return `${CONFIG.map(({ name }) => `CONFIG_${name}=y`).join('\n')}\n`;
}

/**
 * What a configuration lacks.
 * @param text a .config
 */
export function missingOptions(text: string): ConfigOption[] {
  const set = new Map(
    [...text.matchAll(/^CONFIG_(\w+)=(\S+)/gm)].map(([, name, value]) => [name, value]),
  );
  return CONFIG.filter(({ name, module }) => {
    const value = set.get(name);
    return value !== 'y' && !(module && value === 'm');
  });
}
