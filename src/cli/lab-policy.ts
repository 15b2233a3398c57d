/** What the lab's page may load. The server says it, and the built page itself, for other servers. */

/** Its own files, and what it makes itself (`blob:`, `data:`). Styles may be set by scripts, as an editor does. */
const PAGE = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self' 'unsafe-inline'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
];

/** As a page says it: in whose frames it may be is for its server alone to say. */
export const PAGE_POLICY = PAGE.join('; ');
/** As a server says it. */
export const SERVER_POLICY = [...PAGE, "frame-ancestors 'none'"].join('; ');
/** What is told of the page to where a link leads: nothing, as its address may hold a program. */
export const REFERRER = 'no-referrer';
