import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/cli.ts';
import { type LabCommandOptions, labCommand } from '../../src/cli/lab.ts';
import { serveLab } from '../../src/cli/lab-server.ts';
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
function raw(port: number, path: string): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect(port, 'localhost', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
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
    const replay = `1.${digest}.b2a3`;
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
      [scenario, '--replay', '1.0.a'],
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
      ['identity', null],
    ] as const) {
      const answer = await fetch(path, { headers: { 'accept-encoding': encoding } });
      expect(answer.headers.get('content-encoding')).toBe(sent);
      expect(answer.headers.get('content-type')).toBe('text/javascript');
      expect(answer.headers.get('vary')).toBe('Accept-Encoding');
      expect(await answer.text()).toBe(SCRIPT);
    }
  });

  it('allows the page nothing from elsewhere', async () => {
    const { headers } = await fetch(served.address);
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
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
