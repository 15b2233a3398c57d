import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProgramFile } from '../../src/program/corpus.ts';
import { ProgramError } from '../../src/program/error.ts';
import { OPS } from '../../src/program/ops.ts';
import * as runner from '../../src/program/run-program.ts';
import { type Program, parseProgram } from '../../src/program/schema.ts';

type Json = Record<string, unknown>;
interface Source extends Json {
  name: string;
  ops: Json[];
}

/** The first operations of recorded programs: enough to have something mapped and migrated. */
const MAX_OPS = 10;
const bases: Source[] = ['base', 'mixed', 'fork', 'mof-fork'].flatMap((profile) => {
  const text = readFileSync(new URL(`../../corpus/${profile}.jsonl`, import.meta.url), 'utf8');
  const lines = text.split('\n').slice(0, 60).filter(Boolean);
  return lines.map((line) => {
    const { name, ops } = JSON.parse(line) as Source;
    return { name, ops: ops.slice(0, MAX_OPS) };
  });
});

const numbers = [-1, -0, 0, 1, 2, 7, 8, 15, 16, 59, 60, 511, 512, 4096, 4097, 2 ** 20, 2 ** 31];
const oddities: unknown[] = [0.5, 1e300, -1e300, 2 ** 53, null, true, '', '0', 'rw', [], {}, [0]];
const fieldNames = [...new Set(Object.values(OPS).flatMap((specs) => Object.keys(specs)))];

/** One change to a program: an operation by index, a field by index, a value. */
const change = fc.record({
  kind: fc.constantFrom('set', 'drop', 'rename', 'add', 'swap', 'overlap', 'head', 'cut'),
  op: fc.nat(MAX_OPS - 1),
  field: fc.nat(7),
  value: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom<unknown>(...numbers) },
    { weight: 1, arbitrary: fc.constantFrom(...oddities) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  ),
  name: fc.constantFrom(...Object.keys(OPS), ...fieldNames, 'proc', 'bogus', '__proto__', ''),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function mutate(program: Source, { kind, op: at, field, value, name }: Change): unknown {
  const index = at % program.ops.length;
  const op = program.ops[index];
  const fields = Object.keys(op);
  const key = fields[field % fields.length];
  switch (kind) {
    case 'set':
      op[key] = value;
      break;
    case 'drop':
      delete op[key];
      break;
    case 'rename':
      op.op = name;
      break;
    case 'add':
      op[name] = value;
      break;
    case 'swap':
      program.ops.push(...program.ops.splice(index, 1));
      break;
    case 'overlap':
      program.ops.splice(index, 0, {
        op: 'mmap',
        buf: 0,
        page: at,
        pages: 1 + field,
        prot: 'rw',
        kind: 'anon',
      });
      break;
    case 'head':
      (program as Json)[['name', 'ops', 'machine', 'results', 'tasks', 'comment'][field % 6]] =
        value;
      break;
    case 'cut':
      return value;
  }
  return program;
}

const mutated = fc
  .tuple(fc.nat(bases.length - 1), fc.array(change, { minLength: 1, maxLength: 2 }))
  .map(([base, changes]) => {
    let value: unknown = structuredClone(bases[base]);
    for (const one of changes) {
      const source = value as Partial<Source> | null;
      if (
        Array.isArray(source?.ops) &&
        source.ops.length > 0 &&
        source.ops.every((op) => op && typeof op === 'object')
      )
        value = mutate(source as Source, one);
    }
    return value;
  });

/** Takes a program error, which must say where; anything else goes through. */
function tolerate(error: unknown): void {
  if (!(error instanceof ProgramError)) throw error;
  expect(error.message).toMatch(
    /^program.*: (expected .*, got .*|no such field .*|it has tasks .*)$/,
  );
}

function parse(value: unknown): Program | undefined {
  try {
    return parseProgram(value);
  } catch (error) {
    tolerate(error);
    return undefined;
  }
}

describe('ten thousand mutated programs', () => {
  it('give a clear error or a result, never another exception', () => {
    let parsed = 0;
    let refused = 0;
    const property = fc.property(mutated, (value) => {
      const program = parse(value);
      if (program === undefined) {
        refused++;
        return;
      }
      parsed++;
      if (Object.hasOwn(runner, 'isStub')) return;
      try {
        const { results } = runner.runProgram(program);
        expect(results).toHaveLength(program.ops.length);
      } catch (error) {
        tolerate(error);
      }
    });
    fc.assert(property, { numRuns: 10_000, seed: 20260219 });
    // Both ways have been taken often.
    expect(parsed).toBeGreaterThan(1000);
    expect(refused).toBeGreaterThan(1000);
  });

  it('in a file: a truncated line is named, the others are read', () => {
    const lines = bases.slice(0, 20).map((program) => JSON.stringify(program));
    const property = fc.property(fc.nat(19), fc.nat(10_000), (at, length) => {
      const text = lines[at].slice(0, 1 + (length % (lines[at].length - 1)));
      const file = parseProgramFile(lines.with(at, text).join('\n'), 'm.jsonl');
      expect(file.programs).toHaveLength(19);
      expect(file.badLines).toMatchObject([{ file: 'm.jsonl', line: at + 1 }]);
    });
    fc.assert(property, { numRuns: 300, seed: 20260219 });
  });
});
