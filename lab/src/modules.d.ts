declare module 'virtual:kernel-map' {
  const map: Record<string, { kernel: string; file: string; how: string }>;
  export default map;
}
declare module 'virtual:as-posted' {
  const mistakes: readonly import('../as-posted.ts').Posted[];
  export default mistakes;
}

interface ImportMetaEnv {
  /** Whether the build has a service worker. */
  readonly WORKER: boolean;
}
