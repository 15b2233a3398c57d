/** A server for the lab's files: static, compressed where they were when they were built. */
import { existsSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { join } from 'node:path';
import sirv from 'sirv';
import { UsageError } from './terminal.ts';

/** A file with a digest of its content in its name: another content has another name. */
const HASHED = /^\/assets\/.*-[\w-]{8}\.\w+$/;

/**
 * What a page may load: its own files, and what it makes itself (`blob:`, `data:`). Styles may be set by
 * scripts, as an editor does.
 */
const POLICY = [
  "default-src 'self'",
  "img-src 'self' data: blob:",
  "style-src 'self' 'unsafe-inline'",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * Answers requests with the files of a folder.
 * @throws UsageError where there is no built lab in it
 */
export function labFiles(folder: string): RequestListener {
  if (!existsSync(join(folder, 'index.html'))) {
    throw new UsageError(`the lab is not built, there is none in ${folder}: npm run build:lab`);
  }
  return sirv(folder, {
    etag: true,
    gzip: true,
    brotli: true,
    extensions: ['html'],
    setHeaders(response, path) {
      const kept = HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache';
      response.setHeader('Cache-Control', kept);
      response.setHeader('Content-Security-Policy', POLICY);
      response.setHeader('X-Content-Type-Options', 'nosniff');
    },
  });
}

/** Why one cannot listen there. */
function refusal(error: NodeJS.ErrnoException, port: number, host: string): string {
  if (error.code === 'EADDRINUSE') return `port ${port} is in use: choose another with --port`;
  if (error.code === 'EACCES') return `port ${port} is not allowed: choose another with --port`;
  return `cannot listen on ${host}: ${error.message}`;
}

/** What a browser is to be told. */
function addressOf(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}/`;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}/`;
}

/**
 * Serves a built lab.
 * @param port 0: any that is free
 * @throws UsageError where that cannot be
 */
export async function serveLab(
  folder: string,
  port: number,
  host: string,
): Promise<{ address: string; close(): Promise<void> }> {
  const server: Server = createServer(labFiles(folder));
  await new Promise<void>((done, failed) => {
    const fail = (error: Error): void => failed(new UsageError(refusal(error, port, host)));
    server.once('error', fail);
    server.listen(port, host, () => {
      server.removeListener('error', fail);
      done();
    });
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    address: addressOf(host, taken),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        // a browser keeps its connections
        server.closeAllConnections();
      }),
  };
}
