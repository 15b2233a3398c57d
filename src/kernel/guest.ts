/** A kernel that was started for the agent: by QEMU, or by a command of the user's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { initramfs } from './cpio.ts';
import { KernelError } from './error.ts';
import type { KernelImage } from './image.ts';
import type { Hello } from './protocol.ts';
import { AgentGone, Talk, type TalkOptions } from './talk.ts';

/** A kernel with an agent on it. */
export interface Guest {
  hello: Hello;
  talk: Talk;
  /** How it runs, in words. */
  how: string;
  /** All that its console said so far; '' where nobody hears it. */
  console(): string;
  /** Ends it, and waits until it is gone. */
  close(): Promise<void>;
}

/** Starts a kernel. */
export type Start = () => Promise<Guest>;

export interface QemuOptions extends TalkOptions {
  /** The agent's executable. */
  agent: string;
  /** The program, if not qemu-system-x86_64. */
  qemu?: string;
  cpus?: number;
  /** More of the kernel's command line. */
  append?: string;
  /** Seconds until the agent has to be there. */
  bootSeconds: number;
}

/** Characters of the console that are kept: the newest. */
const CONSOLE = 4 * 2 ** 20;

/**
 * Memory of the guest, and where RAM ends for its kernel: behind it lie two ranges of 256 MiB that device-coherent
 * devices have as theirs.
 */
const MEMORY = ['-m', '4G'];
const RAM_END = 'mem=4608M';
const COHERENT = ['spm_addr_dev0=0x120000000', 'spm_addr_dev1=0x130000000'];

/** Whether KVM can be used. */
function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** The kernel's command line. */
export function commandLine(kvm: boolean, append = ''): string {
  return [
    // a WARN comes with the answer, from the kernel's log: on the console it would only take its time
    'console=ttyS0 loglevel=4 panic=-1 mitigations=off',
    // an emulated timer comes late, and the kernel would call it broken
    ...(kvm ? [] : ['no_timer_check']),
    RAM_END,
    ...COHERENT.map((parameter) => `test_hmm.${parameter}`),
    ...(append === '' ? [] : [append]),
  ].join(' ');
}

/** A place in the file system where somebody may connect, and who did. */
function listening(path: string): { server: Server; connected: Promise<Socket> } {
  const server = createServer();
  const connected = new Promise<Socket>((resolve, reject) => {
    server.once('connection', resolve);
    server.once('error', reject);
  });
  // a port of a kernel that never started is waited for by nobody
  connected.catch(() => {});
  server.listen(path);
  return { server, connected };
}

/**
 * Whatever ends this process first ends what it has started.
 * @param end must do it at once
 * @returns takes that back
 */
function endsWithUs(end: () => void): () => void {
  const interrupted = (): void => {
    end();
    process.exit(130);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, interrupted);
  process.on('exit', end);
  return () => {
    for (const signal of signals) process.off(signal, interrupted);
    process.off('exit', end);
  };
}

/** How a process ended, in words. */
const ending = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal ? `ended by ${signal}` : `ended with ${code}`;

function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  return new Promise((resolve) => child.once('close', () => resolve()));
}

/** The first greeting that comes from some talks, and from whom. */
async function greeting(
  talks: readonly Talk[],
  seconds: number,
  failed: Promise<never>,
): Promise<[Talk, Hello]> {
  const greetings = talks.map(async (talk): Promise<[Talk, Hello]> => [talk, await talk.hello]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new KernelError(`the agent did not come up within ${seconds} seconds`)),
      seconds * 1000,
    );
  });
  try {
    return await Promise.race([...greetings, late, failed]);
  } finally {
    clearTimeout(timer);
    for (const one of greetings) one.catch(() => {});
  }
}

/**
 * Starts a kernel under QEMU with the agent as its first process.
 * @throws KernelError where it does not come up, with the end of what its console said
 */
export async function startQemu(image: KernelImage, options: QemuOptions): Promise<Guest> {
  const kvm = hasKvm();
  const folder = mkdtempSync(join(tmpdir(), 'softleaf-guest-'));
  const path = (name: string) => join(folder, name);
  const modules = image.modules.map((file) => ({
    name: basename(file),
    data: readFileSync(file),
    ...(basename(file) === 'test_hmm.ko' ? { parameters: COHERENT.join(' ') } : {}),
  }));
  writeFileSync(path('initrd'), initramfs(readFileSync(options.agent), modules));
  const ports = ['console', 'uart', 'virtio'].map((name) => listening(path(name)));
  const line = (id: string) => `socket,id=${id},path=${path(id)},server=off`;
  const args = [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...[
      '-accel',
      kvm ? 'kvm' : 'tcg',
      '-cpu',
      kvm ? 'host' : 'max',
      '-smp',
      `${options.cpus ?? 1}`,
    ],
    ...[...MEMORY, '-kernel', image.file, '-initrd', path('initrd')],
    ...['-chardev', line('console'), '-serial', 'chardev:console'],
    ...['-chardev', line('uart'), '-serial', 'chardev:uart'],
    ...['-device', 'virtio-serial-pci', '-chardev', line('virtio')],
    ...['-device', 'virtserialport,chardev=virtio,name=softleaf'],
    ...['-append', commandLine(kvm, options.append)],
  ];
  const command = options.qemu ?? 'qemu-system-x86_64';
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  let said = '';
  const end = (): void => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const stay = endsWithUs(end);
  const close = async (): Promise<void> => {
    end();
    await gone(child);
    for (const { server } of ports) server.close();
    stay();
  };
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = `${command} is not there: it comes with the package qemu-system-x86`;
      reject(new KernelError(error.code === 'ENOENT' ? missing : error.message));
    });
    child.once('close', (code, signal) => {
      reject(new KernelError(`QEMU ${ending(code, signal)} ${complaint.trim()}`.trim()));
    });
  });
  failed.catch(() => {});
  try {
    const connected = Promise.all(ports.map((port) => port.connected));
    const [console_, uart, virtio] = await Promise.race([connected, failed]);
    console_.setEncoding('latin1').on('data', (text) => {
      said = (said + text).slice(-CONSOLE);
    });
    console_.on('error', () => {});
    const talks = [new Talk(virtio, virtio, options), new Talk(uart, uart, options, true)];
    const [talk, hello] = await greeting(talks, options.bootSeconds, failed);
    child.once('close', () => talk.end(new AgentGone('the kernel ended')));
    const accelerator = kvm ? 'KVM' : 'TCG (emulation, no_timer_check)';
    const over = talk === talks[0] ? 'virtio-serial' : 'the second UART';
    return {
      hello,
      talk,
      how: `QEMU with ${accelerator}, over ${over}`,
      console: () => said,
      close,
    };
  } catch (error) {
    await close();
    if (!(error instanceof KernelError)) throw error;
    const last = said.trimEnd().split(/\r?\n/).slice(-12).join('\n  ');
    throw new KernelError(`${image.file}: ${error.message}${last === '' ? '' : `\n  ${last}`}`);
  }
}

/**
 * Runs a command that starts an agent on its standard input and output: vng, ssh.
 * @param command for the shell
 */
export async function startCommand(
  command: string,
  options: TalkOptions & { bootSeconds: number },
): Promise<Guest> {
  const child = spawn('/bin/sh', ['-c', command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-CONSOLE);
  });
  const talk = new Talk(child.stdout, child.stdin, options);
  const failed = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new KernelError(error.message)));
    child.once('close', (code, signal) => reject(new KernelError(ending(code, signal))));
  });
  failed.catch(() => {});
  const end = (): void => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    // the command's own children, too: it leads a group
    try {
      process.kill(-child.pid, 'SIGTERM');
    } catch {
      // it has just ended
    }
  };
  const stay = endsWithUs(end);
  const close = async (): Promise<void> => {
    end();
    await gone(child);
    stay();
  };
  try {
    const [, hello] = await greeting([talk], options.bootSeconds, failed);
    return { hello, talk, how: `by ${command}`, console: () => complaint, close };
  } catch (error) {
    await close();
    if (!(error instanceof KernelError) && !(error instanceof AgentGone)) throw error;
    const last = complaint.trimEnd().split('\n').slice(-12).join('\n  ');
    throw new KernelError(
      `no agent answers to ${JSON.stringify(command)}: ${error.message}${last === '' ? '' : `\n  ${last}`}`,
    );
  }
}
