/** What the command line and the lab use of recordings and the package does not offer. */

export { COMPARED, type Compared, decodeLink, encodeLink, LinkError } from './link.ts';
export {
  isKept,
  isTrace,
  mailIn,
  readTrace,
  TRACE_HASH,
  TRACE_LENGTH,
  TRACE_NAME,
  TraceError,
  traceText,
} from './trace-file.ts';
