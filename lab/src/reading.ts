/** Programs' texts are read as the command line reads them: with comments, and what is wrong has its place. */
import { visit } from 'jsonc-parser';
import { type JsonMistake, jsonReader, type VisitJson } from '../../src/program/index.ts';

const read = jsonReader(visit as VisitJson);

/** A text that is no JSON. */
export class JsonError extends Error {
  override readonly name = 'JsonError';

  constructor(readonly mistake: JsonMistake) {
    super(mistake.message);
  }
}

/**
 * What a program's text holds.
 * @throws JsonError
 */
export function readText(text: string): unknown {
  const { value, mistakes } = read(text);
  const [first] = mistakes;
  if (first) throw new JsonError(first);
  return value;
}
