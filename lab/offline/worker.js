/**
 * Keeps the whole build once the page was loaded, so that it works without a network. The build puts
 * BUILD (what tells this build from others) and FILES (its paths) in front.
 *
 * The page itself comes from the network where there is one, so that a new build is seen at once; what it
 * is made of has its content in its name and comes from what is kept. A new build's worker waits until the
 * last page of the old one is closed, and only then throws the old files away: no page loses its parts.
 */
/* global BUILD, FILES */
const { scope } = self.registration;
const OURS = `softleaf-lab ${scope} `;
const CACHE = OURS + BUILD;
const PAGE = new URL('index.html', scope).href;

self.addEventListener('install', (event) => {
  const files = FILES.map((file) => new Request(new URL(file, scope), { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)));
});

async function forgetOthers() {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(OURS) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

self.addEventListener('activate', (event) => event.waitUntil(forgetOthers()));

async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok) return answer;
  } catch {
    // there is no network: what is kept will do
  }
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? (await cache.match(PAGE)) ?? Response.error();
}

async function part(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(scope)) return;
  event.respondWith(request.mode === 'navigate' ? page(request) : part(request));
});
