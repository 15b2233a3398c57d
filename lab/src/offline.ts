/** Has the whole build kept, so that the page works without a network once it was loaded. */
export function keepOffline(): void {
  if (!import.meta.env.WORKER || !('serviceWorker' in navigator)) return;
  // after what the first paint needs; where it is not allowed, the page only needs its network
  window.addEventListener('load', () => {
    navigator.serviceWorker.register('./sw.js').catch(() => undefined);
  });
}
