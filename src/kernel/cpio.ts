/**
 * An initramfs: a cpio archive in the kernel's format ("newc", Documentation/driver-api/early-userspace/
 * buffer-format.rst). It is not compressed: then a kernel needs nothing but BLK_DEV_INITRD to read it.
 */

/** What an archive holds; folders before what lies in them. */
export interface ArchiveFile {
  /** Without a leading slash. */
  name: string;
  /** Type and permissions, as stat() has them. */
  mode: number;
  data?: Uint8Array;
  /** Of a device node. */
  device?: readonly [major: number, minor: number];
}

export const FOLDER = 0o40755;
export const EXECUTABLE = 0o100755;
export const PLAIN_FILE = 0o100644;
export const CHARACTER_DEVICE = 0o20600;

const padding = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);

function entry({ name, mode, data = new Uint8Array(0), device = [0, 0] }: ArchiveFile): Buffer[] {
  const bytes = Buffer.from(name, 'utf8');
  // inode, mode, uid, gid, links, mtime, size, device of the file, device that it is, name's size, checksum
  const fields = [0, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, bytes.length + 1, 0];
  const numbers = fields.map((field) => field.toString(16).toUpperCase().padStart(8, '0'));
  const head = Buffer.concat([Buffer.from(`070701${numbers.join('')}`), bytes, Buffer.alloc(1)]);
  return [head, padding(head.length), Buffer.from(data), padding(data.length)];
}

/** The archive of some files. */
export function cpio(files: readonly ArchiveFile[]): Buffer {
  const all = [...files, { name: 'TRAILER!!!', mode: 0 }];
  return Buffer.concat(all.flatMap(entry));
}

/** A module that is loaded before anything runs. */
export interface KernelModule {
  name: string;
  data: Uint8Array;
  /** As insmod takes them. */
  parameters?: string;
}

/** An initramfs whose first process is the agent. */
export function initramfs(agent: Uint8Array, modules: readonly KernelModule[]): Buffer {
  const list = modules.map(({ name, parameters }) => `/${name} ${parameters ?? ''}`.trim());
  return cpio([
    { name: 'dev', mode: FOLDER },
    // what the kernel gives its first process to speak with
    { name: 'dev/console', mode: CHARACTER_DEVICE, device: [5, 1] },
    { name: 'init', mode: EXECUTABLE, data: agent },
    ...modules.map(({ name, data }) => ({ name, mode: PLAIN_FILE, data })),
    { name: 'softleaf.modules', mode: PLAIN_FILE, data: Buffer.from(`${list.join('\n')}\n`) },
  ]);
}
