/** A server for the lab's files. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, isIP, isIPv4, isIPv6 } from 'node:net';
import { labFiles, refuse } from './lab-files.ts';
import { UsageError } from './terminal.ts';

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

/** Whether nobody but this machine reaches what listens there. */
function isOwn(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Whether a request's `Host` names this machine, and not a site whose name was made to lead here. */
function namesThis(host: string | undefined): boolean {
  if (host === undefined) return true;
  const name = host.replace(/:\d*$/, '').toLowerCase();
  return /(^|\.)localhost$/.test(name) || isIP(name.replace(/^\[|\]$/g, '')) > 0;
}

/**
 * A server that answers with files and outlives what goes wrong with a connection; it does not listen yet.
 * @param own it is for this machine alone
 */
export function labServer(files: RequestListener, own: boolean): Server {
  const server = createServer((request, response) => {
    if (own && !namesThis(request.headers.host)) refuse(response, 421, { Connection: 'close' });
    else files(request, response);
  });
  // where there is no room for one more connection, those that there are go on
  server.on('error', () => {});
  return server;
}

/**
 * Serves a built lab.
 * @param port 0: any that is free
 * @param trace the text of a trace that the page is to show, if there is one
 * @throws UsageError where that cannot be
 */
export async function serveLab(
  folder: string,
  port: number,
  host: string,
  trace?: string,
): Promise<{ address: string; close(): Promise<void> }> {
  // listening on the empty host is listening on every one
  if (host.trim() === '')
    throw new UsageError('--host: expected a name or an address, got nothing');
  const server = labServer(labFiles(folder, trace), isOwn(host));
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
