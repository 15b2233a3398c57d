/** Pages of most buffers. */
export const BUFFER_PAGES = 1024;
/** How often some things are done again. */
export const NTIMES = 10;
