/** What options and arguments may be, apart from what is done with them: help needs no more. */

/** What `softleaf init` writes. */
export const KINDS = ['program', 'driver'] as const;
export type Kind = (typeof KINDS)[number];

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** How results are printed for another program. */
export const FORMATS = ['ktap', 'junit', 'github'] as const;
export type Format = (typeof FORMATS)[number];

/** What `softleaf kernel` does. */
export const KERNEL_ACTIONS = [
  'ask',
  'conform',
  'race',
  'fuzz',
  'config',
  'check-config',
  'agent',
] as const;
export type KernelAction = (typeof KERNEL_ACTIONS)[number];
