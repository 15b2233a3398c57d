import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealedSchedule } from '../../src/checker/index.ts';
import { main } from '../../src/cli/cli.ts';
import { type LabCommandOptions, labCommand } from '../../src/cli/lab.ts';
import { labFiles } from '../../src/cli/lab-files.ts';
import { labServer, serveLab } from '../../src/cli/lab-server.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { parseAnyProgram } from '../../src/program/index.ts';
import { decodeLink } from '../../src/recording/link.ts';
import { record } from '../../src/recording/recorder.ts';

const scenario = fileURLToPath(new URL('../../scenarios/device-fault-hole.json', import.meta.url));
const SCRIPT = `export const text = '${'a long text '.repeat(200)}';\n`;

let dir: string;
let folder: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'softleaf-lab-'));
  folder = join(dir, 'lab');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>here</title>');
  writeFileSync(join(folder, 'worker.js'), 'self;');
  writeFileSync(join(folder, 'assets/index-C7RoFWLk.js'), SCRIPT);
  writeFileSync(join(folder, 'assets/index-C7RoFWLk.js.gz'), gzipSync(SCRIPT));
  writeFileSync(join(folder, 'assets/index-C7RoFWLk.js.br'), brotliCompressSync(SCRIPT));
  writeFileSync(join(dir, 'secret.txt'), 'secret');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function terminal() {
  const text = { out: '', err: '' };
  const value: Terminal = {
    stdout: { write: (part) => (text.out += part) },
    stderr: { write: (part) => (text.err += part) },
    env: {},
  };
  return { text, value };
}

/** Runs the command; `meanwhile` gets what it printed, and when it is done the command ends. */
async function lab(
  file: string | undefined,
  options: LabCommandOptions,
  meanwhile: (out: string) => unknown,
) {
  const { text, value } = terminal();
  const end = async () => void (await meanwhile(text.out));
  return labCommand(file, { port: 0, ...options }, value, folder, end);
}

/** The answer to a request whose path is sent as it is. */
function raw(port: number, path: string, method = 'GET', host = 'localhost'): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect(port, 'localhost', () => {
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    let answer = '';
    socket.on('data', (part) => {
      answer += part;
    });
    socket.on('end', () => done(answer));
    socket.on('error', failed);
  });
}

describe('softleaf lab', () => {
  it('says where the lab is, serves it, and ends when it is told to', async () => {
    let address = '';
    const code = await lab(undefined, {}, async (out) => {
      address = /^The lab is at (http:\/\/localhost:\d+\/)\n/.exec(out)?.[1] ?? '';
      const answer = await fetch(address);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html;charset=utf-8');
      expect(await answer.text()).toContain('<title>here</title>');
    });
    expect(code).toBe(0);
    await expect(fetch(address)).rejects.toThrow();
  });

  it.each([
    ['a scenario', scenario, {}],
    ['another walk', scenario, { walk: 'as-posted' }],
  ] as const)('opens a program: %s', async (_, file, options) => {
    let link = '';
    await lab(file, options, (out) => {
      link = /#.*/.exec(out)?.[0] ?? '';
    });
    const text = readFileSync(file, 'utf8');
    const { schedule, walk } = record(parseAnyProgram(JSON.parse(text)), options);
    expect(await decodeLink(link)).toEqual({
      program: { text },
      walk,
      schedule,
      step: 0,
      selected: '',
      hardware: false,
      compared: null,
    });
  });

  it('opens a schedule at its end', async () => {
    const program = parseAnyProgram(JSON.parse(readFileSync(scenario, 'utf8')));
    const digest = record(program).schedule.split('.')[1];
    const replay = sealedSchedule(digest, 'b2a3');
    let link = '';
    await lab(scenario, { replay }, (out) => {
      link = /#.*/.exec(out)?.[0] ?? '';
    });
    const shown = record(program, { schedule: replay });
    expect(shown.schedule).not.toBe(record(program).schedule);
    const { schedule, length: step } = shown;
    expect(await decodeLink(link)).toMatchObject({ schedule, step });
  });

  it('exits 2 on a port that is in use', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, 'localhost', done));
    const { port } = other.address() as AddressInfo;
    const served = lab(undefined, { port }, () => {});
    await expect(served).rejects.toThrow(`port ${port} is in use: choose another with --port`);
    await new Promise((done) => other.close(done));
  });

  it('exits 2 on a host that is not this machine', async () => {
    const served = lab(undefined, { host: '192.0.2.1' }, () => {});
    await expect(served).rejects.toThrow(/^cannot listen on 192\.0\.2\.1: /);
  });

  it('exits 2 on a host that is no name: it would be every one', async () => {
    await expect(lab(undefined, { host: '' }, () => {})).rejects.toThrow(
      '--host: expected a name or an address, got nothing',
    );
  });

  it('exits 2 where there is no built lab', async () => {
    await expect(serveLab(join(dir, 'assets'), 0, 'localhost')).rejects.toThrow(
      /^the lab is not built, there is none in .*: npm run build:lab$/,
    );
  });

  it.each([
    ['a file that is not there', ['nothing.json'], /cannot read nothing\.json/],
    ['a file that is not JSON', ['README.md'], /README\.md:1:1: .*JSON/],
    ['JSON that is no program', ['package.json'], /package\.json:3:3: .*no such field/],
    [
      'a mistake in a program',
      ['BAD'],
      /bad\.json:1:41: program "x", op 0 \(fork\), field "child"/,
    ],
    [
      'a schedule of something else',
      [scenario, '--replay', '2.0.a'],
      /--replay: .*another program/,
    ],
    ['a walk of no program', ['--walk', 'collect'], /expected a file/],
    ['a port that cannot be', ['--port', '65536'], /from 0 to 65535/],
  ])('exits 2 on %s', async (_, args, message) => {
    const bad = join(dir, 'bad.json');
    writeFileSync(bad, '{"name":"x","ops":[{"op":"fork","child":0}]}');
    const { text, value } = terminal();
    const code = await main(['lab', ...args.map((arg) => (arg === 'BAD' ? bad : arg))], value);
    expect(code).toBe(2);
    expect(text.out).toBe('');
    expect(text.err).toMatch(message);
  });
});

describe("the lab's server", () => {
  let served: Awaited<ReturnType<typeof serveLab>>;
  beforeAll(async () => {
    served = await serveLab(folder, 0, 'localhost');
  });
  afterAll(() => served.close());

  it('lets what has a digest in its name be kept for ever, and nothing else', async () => {
    const kept = async (path: string) =>
      (await fetch(served.address + path)).headers.get('cache-control');
    expect(await kept('assets/index-C7RoFWLk.js')).toBe('public, max-age=31536000, immutable');
    for (const path of ['', 'index.html', 'worker.js']) expect(await kept(path)).toBe('no-cache');
  });

  it('answers with nothing where nothing has changed', async () => {
    const etag = (await fetch(served.address)).headers.get('etag') ?? '';
    const again = await fetch(served.address, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });

  it('sends what is compressed to who can read it, with its type', async () => {
    const path = `${served.address}assets/index-C7RoFWLk.js`;
    for (const [encoding, sent] of [
      ['gzip', 'gzip'],
      ['gzip, deflate, br', 'br'],
      ['gzip, br;q=0', 'gzip'],
      ['*', 'br'],
      ['*, br;q=0.0', 'gzip'],
      ['deflate', null],
      ['identity', null],
    ] as const) {
      const answer = await fetch(path, { headers: { 'accept-encoding': encoding } });
      expect(answer.headers.get('content-encoding')).toBe(sent);
      expect(answer.headers.get('content-type')).toBe('text/javascript');
      expect(answer.headers.get('vary')).toBe('Accept-Encoding');
      expect(await answer.text()).toBe(SCRIPT);
    }
  });

  it('allows the page nothing from elsewhere, whatever the answer is', async () => {
    for (const [path, method, status] of [
      ['', 'GET', 200],
      ['nothing', 'GET', 404],
      ['', 'POST', 405],
    ] as const) {
      const answer = await fetch(served.address + path, { method });
      expect(answer.status).toBe(status);
      const { headers } = answer;
      expect(headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
  });

  it('sends files whole, and says that it does', async () => {
    const path = `${served.address}assets/index-C7RoFWLk.js`;
    for (const range of ['bytes=0-9', 'bytes=-5', 'lines=1-2', 'nonsense']) {
      const headers = { range, 'accept-encoding': 'identity' };
      const answer = await fetch(path, { headers });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('accept-ranges')).toBe('none');
      expect(await answer.text()).toBe(SCRIPT);
    }
  });

  it('tells of a file without sending it', async () => {
    const path = `${served.address}assets/index-C7RoFWLk.js`;
    const answer = await fetch(path, {
      method: 'HEAD',
      headers: { 'accept-encoding': 'identity' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe(String(SCRIPT.length));
    expect(await answer.text()).toBe('');
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])('takes no %s', async (method) => {
    const answer = await raw(Number(new URL(served.address).port), '/', method);
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    expect(answer).toMatch(/^Allow: GET, HEAD\r$/m);
    expect(answer).not.toContain('<title>');
  });

  it.each([
    ['localhost', 200],
    ['LOCALHOST:80', 200],
    ['127.0.0.1:7340', 200],
    ['[::1]:7340', 200],
    ['example.org', 421],
    ['localhost.example.org:7340', 421],
  ])('that is for this machine answers requests to %s with %i', async (host, status) => {
    const answer = await raw(Number(new URL(served.address).port), '/', 'GET', host);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('that is for others has any name', async () => {
    const open = await serveLab(folder, 0, '0.0.0.0');
    const answer = await raw(Number(new URL(open.address).port), '/', 'GET', 'example.org');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    await open.close();
  });

  it('has what there was when it began, whatever becomes of the files', async () => {
    const copy = join(dir, 'copy');
    cpSync(folder, copy, { recursive: true });
    const own = await serveLab(copy, 0, 'localhost');
    rmSync(copy, { recursive: true });
    const answer = await fetch(`${own.address}assets/index-C7RoFWLk.js`);
    expect(await answer.text()).toBe(SCRIPT);
    await own.close();
  });

  it('has the files of its folder alone, and no link to others', async () => {
    const copy = join(dir, 'linked');
    cpSync(folder, copy, { recursive: true });
    symlinkSync(join(dir, 'secret.txt'), join(copy, 'secret.txt'));
    const own = await serveLab(copy, 0, 'localhost');
    expect((await fetch(`${own.address}secret.txt`)).status).toBe(404);
    await own.close();
  });

  it('goes on when a connection breaks, or there is no room for one', async () => {
    const server = labServer(labFiles(folder), true);
    await new Promise<void>((done) => server.listen(0, 'localhost', done));
    const { port } = server.address() as AddressInfo;
    // as one gets it from the system when descriptors are used up
    server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((done) => {
        const socket = connect(port, 'localhost', () => {
          socket.write(`GET /assets/index-C7RoFWLk.js HTTP/1.1\r\nHost: localhost\r\n\r\n`);
          socket.destroy();
        });
        socket.on('close', () => done());
      });
    }
    expect((await fetch(`http://localhost:${port}/`)).status).toBe(200);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/..\\secret.txt',
    '/assets/%2e%2e%2f%2e%2e%2fsecret.txt',
    '//etc/passwd',
    '/%',
    '/assets',
    '/nothing.js',
  ])('has nothing at %s', async (path) => {
    const { port } = new URL(served.address);
    const answer = await raw(Number(port), path);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).not.toContain('secret');
  });
});
