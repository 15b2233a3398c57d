declare module 'virtual:kernel-map' {
  const map: Record<string, { kernel: string; file: string; how: string }>;
  export default map;
}

interface ImportMetaEnv {
  /** Whether the build has a service worker. */
  readonly WORKER: boolean;
}
