/**
 * Modules that do less than they seem to: those that ship, each with one mistake of those that are easily made.
 * What the checker says of one of them must not be a blessing.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Node, parse } from 'acorn';

type Tree = Node & { readonly [field: string]: unknown };

export type Kind =
  | 'no yield*'
  | 'yield for yield*'
  | 'no step'
  | 'step not yielded'
  | 'result ignored'
  | 'another page'
  | 'does nothing';

/** A place in a module, and what stands there instead. */
export interface Mutant {
  /** The module that is changed, from the package's folder. */
  file: string;
  kind: Kind;
  line: number;
  /** What was there, in one line. */
  was: string;
  text: string;
}

const isTree = (value: unknown): value is Tree =>
  typeof (value as Partial<Tree> | null | undefined)?.type === 'string';

const partsOf = (node: Tree): Tree[] =>
  Object.values(node)
    .flat()
    .filter((value) => isTree(value));

/** What leaves a function or a turn of a loop. */
const EXITS = ['ReturnStatement', 'ContinueStatement', 'BreakStatement', 'ThrowStatement'];

/** Whether a statement does nothing but leave. */
function leaves(node: Tree): boolean {
  if (node.type === 'BlockStatement') return (node.body as Tree[]).every(leaves);
  return EXITS.includes(node.type);
}

/** Every mutant of a module. */
export function mutantsOf(root: string, file: string): Mutant[] {
  const code = readFileSync(join(root, file), 'utf8');
  const options = { ecmaVersion: 'latest', sourceType: 'module', locations: true } as const;
  const tree = parse(code, options) as unknown as Tree;
  const mutants: Mutant[] = [];
  const source = ({ start, end }: Tree): string => code.slice(start, end);
  const change = (kind: Mutant['kind'], node: Tree, to: string): void => {
    const { line } = (node.loc as unknown as { start: { line: number } }).start;
    const text = code.slice(0, node.start) + to + code.slice(node.end);
    mutants.push({ file, kind, line, was: source(node).replace(/\s+/g, ' '), text });
  };
  const isResult = (node: unknown): boolean => {
    if (!isTree(node)) return false;
    if (node.type === 'ConditionalExpression') return isResult(node.consequent);
    if (node.type === 'YieldExpression') return node.delegate === true;
    const { type, callee } = node;
    return type === 'CallExpression' && /Retry$/.test(source(callee as Tree));
  };
  /** Variables of the function around that have what a call came to. */
  let results = new Set<string>();
  const asks = (test: Tree): boolean =>
    (test.type === 'Identifier' && results.has(String(test.name))) || partsOf(test).some(asks);
  /** Whether the function asks what a variable has. */
  const isAsked = (name: string): boolean => {
    const uses = (node: Tree): boolean =>
      (node.type === 'Identifier' && node.name === name) || partsOf(node).some(uses);
    const look = (node: Tree): boolean =>
      (isTree(node.test) && uses(node.test)) || partsOf(node).some(look);
    return look(around);
  };
  let around = tree;
  let inTasks = 0;
  const visit = (node: Tree): void => {
    const { type } = node;
    const isFunction = /Function(Declaration|Expression)$/.test(type);
    const outer = { around, results };
    if (isFunction) {
      around = node;
      results = new Set();
      if (node.generator) {
        const body = node.body as Tree;
        change('does nothing', body, `{ return; ${source(body).slice(1)}`);
      }
    }
    if (type === 'YieldExpression' && node.delegate) {
      const call = source(node.argument as Tree);
      change('no yield*', node, call);
      change('yield for yield*', node, `yield ${call}`);
    }
    if (type === 'IfStatement' && /^k\.stepping\b/.test(source(node.test as Tree))) {
      change('no step', node, ';');
      change('step not yielded', node, source(node).replace(/\byield /, ''));
    } else if (type === 'IfStatement') {
      const [test, then] = [node.test as Tree, node.consequent as Tree];
      const call = isResult(test) ? `${source(test)}; ` : '';
      // nothing is made of what was asked, or of the answer
      if (call !== '' || asks(test))
        change('result ignored', node, leaves(then) ? `${call};` : `{ ${call}${source(then)} }`);
    }
    if (type === 'VariableDeclarator' && isResult(node.init)) {
      const [id, init] = [node.id as Tree, node.init as Tree];
      const name = String(id.name);
      results.add(name);
      const otherwise = init.type === 'CallExpression' ? 'false' : '0';
      if (isAsked(name) && init.type !== 'ConditionalExpression') {
        change('result ignored', init, `(${source(init)}, ${otherwise})`);
      }
    }
    if (type === 'CallExpression' && inTasks > 0) {
      for (const argument of node.arguments as Tree[]) {
        if (/^(state\.)?(page|vpn|start)$/.test(source(argument))) {
          change('another page', argument, `${source(argument)} + 8`);
          change('another page', argument, `${source(argument)} + 1`);
        }
      }
    }
    // of an operation of a program
    const key = type === 'Property' && !node.computed ? source(node.key as Tree) : '';
    const value = node.value as Tree | undefined;
    if ((key === 'buf' || key === 'page') && value?.type === 'Literal') {
      for (const more of [3, 5]) {
        change('another page', value, String(Number(value.value) + more));
      }
    }
    if (key === 'tasks') inTasks++;
    for (const part of partsOf(node)) visit(part);
    if (key === 'tasks') inTasks--;
    ({ around, results } = outer);
  };
  visit(tree);
  return mutants;
}
