/**
 * The lab's files, read once and answered from memory: what a request says never becomes a path, and what
 * becomes of the folder meanwhile is of no matter.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type {
  IncomingMessage,
  OutgoingHttpHeaders,
  RequestListener,
  ServerResponse,
} from 'node:http';
import { extname, join, relative, sep } from 'node:path';
import { TRACE_NAME } from '../recording/internal.ts';
import { REFERRER, SERVER_POLICY } from './lab-policy.ts';
import { UsageError } from './terminal.ts';

/** A file with a digest of its content in its name: another content has another name. */
const HASHED = /^\/assets\/.*-[\w-]{8}\.\w+$/;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html;charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain;charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** What every answer says. */
const COMMON: OutgoingHttpHeaders = {
  'Content-Security-Policy': SERVER_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': REFERRER,
};

/** Compressed forms, the smaller one first: how requests call them, and how their files end. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;
type Encoding = (typeof ENCODINGS)[number][0];

interface Form {
  readonly encoding: Encoding | null;
  readonly body: Buffer;
  readonly etag: string;
}

interface LabFile {
  readonly headers: OutgoingHttpHeaders;
  /** Whole, then as it was compressed. */
  readonly forms: readonly [Form, ...Form[]];
}

function formOf(encoding: Encoding | null, body: Buffer): Form {
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 16);
  return { encoding, body, etag: `"${digest}"` };
}

/** The files of a folder by their paths in addresses. */
function readFolder(folder: string): Map<string, LabFile> {
  const bodies = new Map<string, Buffer>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    bodies.set(`/${relative(folder, path).split(sep).join('/')}`, readFileSync(path));
  }
  const files = new Map<string, LabFile>();
  for (const [path, body] of bodies) {
    if (ENCODINGS.some(([, end]) => path.endsWith(end) && bodies.has(path.slice(0, -end.length)))) {
      continue;
    }
    const compressed = ENCODINGS.flatMap(([encoding, end]) => {
      const small = bodies.get(path + end);
      return small ? [formOf(encoding, small)] : [];
    });
    const headers = {
      ...COMMON,
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Cache-Control': HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      // a part of a file is never sent
      'Accept-Ranges': 'none',
      ...(compressed.length > 0 ? { Vary: 'Accept-Encoding' } : {}),
    };
    files.set(path, { headers, forms: [formOf(null, body), ...compressed] });
  }
  const index = files.get('/index.html');
  if (index) files.set('/', index);
  return files;
}

/** The path that a request asks for; null: it is none. */
function pathOf(target: string): string | null {
  // a proxy is asked with the whole address
  const [path] = target.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/);
  try {
    return decodeURIComponent(path === '' ? '/' : path);
  } catch {
    return null;
  }
}

/** The smallest form that a request takes, as its `Accept-Encoding` says. */
function formFor({ forms }: LabFile, accepted: string): Form {
  const weights = new Map(
    accepted.split(',').map((one) => {
      const [name, ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      return [name, q === undefined ? 1 : Number(q.slice(2))];
    }),
  );
  const takes = ({ encoding }: Form): boolean =>
    encoding !== null && (weights.get(encoding) ?? weights.get('*') ?? 0) > 0;
  return forms.find(takes) ?? forms[0];
}

/** Whether a request has that form already. */
function has(known: string | undefined, { etag }: Form): boolean {
  return (known ?? '')
    .split(',')
    .some((one) => ['*', etag].includes(one.trim().replace(/^W\//, '')));
}

/** An answer without a file. */
export function refuse(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {},
): void {
  // whoever asked may be gone: nobody is left to be told
  response.on('error', () => {});
  response.writeHead(status, { ...COMMON, 'Cache-Control': 'no-store', ...headers }).end();
}

/**
 * Answers requests with the files that a folder has now.
 * @param trace the text of a trace that the page is to show, if there is one
 * @throws UsageError where there is no built lab in it, or it cannot be read
 */
export function labFiles(folder: string, trace?: string): RequestListener {
  const missing = `the lab is not built, there is none in ${folder}: npm run build:lab`;
  let files: Map<string, LabFile>;
  try {
    files = readFolder(folder);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === 'ENOENT' ? missing : `cannot read the lab: ${message}`);
  }
  if (!files.has('/')) throw new UsageError(missing);
  if (trace !== undefined) {
    const headers = { ...COMMON, 'Content-Type': TYPES['.json'], 'Cache-Control': 'no-store' };
    files.set(`/${TRACE_NAME}`, { headers, forms: [formOf(null, Buffer.from(trace))] });
  }
  return (request: IncomingMessage, response: ServerResponse): void => {
    // whoever asked may go away at any time
    request.on('error', () => {});
    response.on('error', () => {});
    const { method, headers, url = '/' } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      refuse(response, 405, { Allow: 'GET, HEAD', Connection: 'close' });
      return;
    }
    const file = files.get(pathOf(url) ?? '');
    if (!file) {
      refuse(response, 404);
      return;
    }
    const form = formFor(file, String(headers['accept-encoding'] ?? ''));
    const said = { ...file.headers, ETag: form.etag };
    if (has(headers['if-none-match'], form)) {
      response.writeHead(304, said).end();
      return;
    }
    response.writeHead(200, {
      ...said,
      ...(form.encoding ? { 'Content-Encoding': form.encoding } : {}),
      'Content-Length': form.body.length,
    });
    response.end(method === 'HEAD' ? undefined : form.body);
  };
}
