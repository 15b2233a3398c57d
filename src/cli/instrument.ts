/**
 * Instruments modules that others have written: they tell `src/checker/own-code.ts` of the generators that they
 * make, of results that they ignore, and of the fields that they read and write. A proxy around the state would tell
 * of fields, too, but would be another object than the one that the model knows. Every line stays where it is.
 */
import { type Node, parse } from 'acorn';

type Tree = Node & { readonly [field: string]: unknown };

/** What becomes of a value: it is used, or only looked at whether it is there or what number it is, or left alone. */
type Use = 'used' | 'tested' | 'ignored';

/** What instrumented code calls what it tells. */
const TOLD = '$softleaf';

/** Fields that are read at each step, and are the model's. */
const UNTOLD = new Set(['stepping', 'monitor']);

const isTree = (value: unknown): value is Tree =>
  typeof (value as Partial<Tree> | null | undefined)?.type === 'string';

/** The nodes that a node is made of, as they are written. */
function partsOf(node: Tree): Tree[] {
  const parts = Object.values(node)
    .flat()
    .filter((value) => isTree(value));
  return parts.sort((a, b) => a.start - b.start);
}

/**
 * Instruments a module.
 * @param place the module's, for messages
 * @param told the address of `own-code.js`
 * @returns null where the code cannot be read: Node says why
 */
export function instrument(code: string, place: string, told: string): string | null {
  let tree: Tree;
  try {
    tree = parse(code, {
      ecmaVersion: 'latest',
      sourceType: 'module',
      allowHashBang: true,
      locations: true,
    }) as unknown as Tree;
  } catch {
    return null;
  }
  const head = `import * as ${TOLD} from ${JSON.stringify(told)}; ${TOLD}.instrumented(import.meta.url); `;
  const hashBang = /^#![^\n]*\n/.exec(code)?.[0] ?? '';
  const all = new Instrumenter(code, place).whole(tree);
  return `${hashBang}${head}${all.slice(hashBang.length)}`;
}

class Instrumenter {
  /** The function around, or the module. */
  private around: Tree | null = null;

  constructor(
    private readonly code: string,
    private readonly place: string,
  ) {}

  whole(tree: Tree): string {
    this.around = tree;
    const { start, end } = tree;
    return this.code.slice(0, start) + this.made(tree) + this.code.slice(end);
  }

  private source({ start, end }: Tree): string {
    return this.code.slice(start, end);
  }

  /** The same in one line. */
  private again(node: Tree): string {
    return this.source(node).replace(/\s+/g, ' ');
  }

  private placeOf(node: Tree): string {
    const { line } = (node.loc as unknown as { start: { line: number } }).start;
    return JSON.stringify(`${this.place}:${line}`);
  }

  /** A node with some of its parts in another form. */
  private made(node: Tree, forms: ReadonlyMap<unknown, string> = new Map()): string {
    let at = node.start;
    let text = '';
    for (const part of partsOf(node)) {
      // the name and the value of `{ a }` are at one place
      if (part.start < at) continue;
      text += this.code.slice(at, part.start) + (forms.get(part) ?? this.form(part));
      at = part.end;
    }
    return text + this.code.slice(at, node.end);
  }

  private form(node: Tree, use: Use = 'used'): string {
    const tested = (part: unknown): [unknown, string] => [part, this.form(part as Tree, 'tested')];
    switch (node.type) {
      case 'CallExpression':
        return this.callForm(node, use);
      case 'ChainExpression':
        return this.chainForm(node, use);
      case 'YieldExpression':
        return this.yieldForm(node, use);
      case 'MemberExpression':
        return this.readForm(node, 'r', 'item');
      case 'AssignmentExpression':
        return this.assignmentForm(node);
      case 'UpdateExpression':
        return this.made(node, new Map([[node.argument, this.targetForm(node.argument as Tree)]]));
      case 'UnaryExpression':
        if (node.operator !== 'delete') return this.made(node, new Map([tested(node.argument)]));
        return this.made(node, new Map([[node.argument, this.targetForm(node.argument as Tree)]]));
      case 'NewExpression':
        return this.made(node, new Map([[node.callee, this.source(node.callee as Tree)]]));
      case 'ExpressionStatement':
        return this.made(
          node,
          new Map([[node.expression, this.form(node.expression as Tree, 'ignored')]]),
        );
      case 'IfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'ForStatement':
        return this.made(node, isTree(node.test) ? new Map([tested(node.test)]) : undefined);
      case 'ConditionalExpression':
        return this.made(
          node,
          new Map([
            tested(node.test),
            [node.consequent, this.form(node.consequent as Tree, use)],
            [node.alternate, this.form(node.alternate as Tree, use)],
          ]),
        );
      case 'BinaryExpression':
        return this.made(node, new Map([tested(node.left), tested(node.right)]));
      case 'LogicalExpression':
        return this.made(
          node,
          new Map([tested(node.left), [node.right, this.form(node.right as Tree, use)]]),
        );
      case 'SequenceExpression': {
        const parts = node.expressions as Tree[];
        const last = parts.at(-1);
        return this.made(
          node,
          new Map(parts.map((part) => [part, this.form(part, part === last ? use : 'ignored')])),
        );
      }
      case 'ForOfStatement':
        return this.made(node, new Map([[node.right, this.itemsForm(node.right as Tree)]]));
      case 'SpreadElement':
        return this.made(node, new Map([[node.argument, this.itemsForm(node.argument as Tree)]]));
      case 'VariableDeclarator':
        return this.variableForm(node);
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.functionForm(node);
      case 'ArrayPattern':
      case 'ObjectPattern':
      case 'ImportDeclaration':
        return this.source(node);
      default:
        return this.made(node);
    }
  }

  // ---- calls ----

  /** What a call is called in messages. */
  private nameOf({ callee }: Tree): string {
    const { type, name, computed, property } = callee as Tree;
    if (type === 'Identifier') return JSON.stringify(name);
    const isNamed = type === 'MemberExpression' && !computed;
    return JSON.stringify(isNamed ? (property as Tree).name : 'a function');
  }

  private callForm(node: Tree, use: Use): string {
    const call = this.bareCall(node);
    if ((node.callee as Tree).type === 'Super') return call;
    const told = `${call}, ${this.nameOf(node)}, ${this.placeOf(node)}`;
    return `${TOLD}.made(${told}, '${use}')`;
  }

  /** A call whose value is not looked at. */
  private bareCall(node: Tree): string {
    const callee = node.callee as Tree;
    if (callee.type !== 'MemberExpression') return this.made(node);
    const object = callee.object as Tree;
    const { name } = callee.property as Tree;
    if (object.type === 'Super' || callee.computed || callee.optional || node.optional) {
      return this.made(node, new Map([[callee, this.source(callee)]]));
    }
    const told = `${TOLD}.call(${this.form(object)}, ${JSON.stringify(name)}, ${this.placeOf(callee)})`;
    return this.made(node, new Map([[callee, this.made(callee, new Map([[object, told]]))]]));
  }

  /** `a?.b()`: what comes after a `?.` is one with it. */
  private chainForm(node: Tree, use: Use): string {
    const expression = node.expression as Tree;
    if (expression.type !== 'CallExpression') return this.source(node);
    const told = `${this.source(node)}, ${this.nameOf(expression)}, ${this.placeOf(node)}`;
    return `${TOLD}.made(${told}, '${use}')`;
  }

  private yieldForm(node: Tree, use: Use): string {
    const argument = node.argument as Tree | null;
    if (!node.delegate || argument?.type !== 'CallExpression') return this.made(node);
    // it is run where it is made
    const text = this.made(node, new Map([[argument, this.bareCall(argument)]]));
    return `${TOLD}.result(${text}, ${this.nameOf(argument)}, ${this.placeOf(argument)}, '${use}')`;
  }

  // ---- fields ----

  /** Whether to evaluate it once more changes nothing. */
  private isSimple(node: Tree): boolean {
    const both = (a: unknown, b: unknown): boolean =>
      this.isSimple(a as Tree) && this.isSimple(b as Tree);
    if (['Identifier', 'ThisExpression', 'Literal'].includes(node.type)) return true;
    if (node.type === 'BinaryExpression') return both(node.left, node.right);
    if (node.type !== 'MemberExpression' || node.optional) return false;
    return node.computed ? both(node.object, node.property) : this.isSimple(node.object as Tree);
  }

  /** `object.key`: `object` is told of, or the key if it is computed. */
  private readForm(node: Tree, ofObject: string, ofKey: string): string {
    const object = node.object as Tree;
    const property = node.property as Tree;
    if (object.type === 'Super' || object.type === 'MetaProperty') return this.made(node);
    if (node.computed) {
      if (!this.isSimple(object)) return this.made(node);
      const told = `${TOLD}.${ofKey}(${this.again(object)}, ${this.form(property)}, ${this.placeOf(node)})`;
      return this.made(node, new Map([[property, told]]));
    }
    const name = `${property.type === 'PrivateIdentifier' ? '#' : ''}${property.name}`;
    // a class, or names of numbers: nobody's state
    const isConstant = object.type === 'Identifier' && /^[A-Z]/.test(String(object.name));
    if (isConstant || UNTOLD.has(name)) return this.made(node);
    const told = `${TOLD}.${ofObject}(${this.form(object)}, ${JSON.stringify(name)}, ${this.placeOf(node)})`;
    return this.made(node, new Map([[object, told]]));
  }

  /** What is written at once. */
  private targetForm(target: Tree): string {
    if (target.type !== 'MemberExpression') return this.form(target);
    return this.readForm(target, 'w', 'put');
  }

  private assignmentForm(node: Tree): string {
    const [target, value] = [node.left as Tree, node.right as Tree];
    const isField = target.type === 'MemberExpression';
    const object = target.object as Tree;
    if (!isField || target.computed || !this.isSimple(object)) {
      const patterns = target.type.endsWith('Pattern') ? this.source(target) : null;
      return this.made(node, new Map([[target, patterns ?? this.targetForm(target)]]));
    }
    // it is written when its value is there, and that may take steps
    const { type, name } = target.property as Tree;
    const key = JSON.stringify(`${type === 'PrivateIdentifier' ? '#' : ''}${name}`);
    const told = `${TOLD}.set(${this.form(value)}, ${this.again(object)}, ${key}, ${this.placeOf(target)})`;
    return this.made(
      node,
      new Map([
        [target, this.source(target)],
        [value, told],
      ]),
    );
  }

  private itemsForm(node: Tree): string {
    return `${TOLD}.items(${this.form(node)}, ${this.placeOf(node)})`;
  }

  /** The fields that a pattern takes out of an object. */
  private keysOf(pattern: Tree): string | null {
    const { type, left, properties } = pattern;
    if (type === 'AssignmentPattern') return this.keysOf(left as Tree);
    if (type !== 'ObjectPattern') return null;
    const names = (properties as Tree[])
      .filter((one) => one.type === 'Property' && !one.computed)
      .map(({ key }) => (key as Tree).name ?? (key as Tree).value);
    return JSON.stringify(names);
  }

  private variableForm(node: Tree): string {
    const [id, init] = [node.id as Tree, node.init as Tree | null];
    if (init === null) return this.made(node);
    const keys = this.keysOf(id);
    if (keys !== null) {
      const told = `${TOLD}.fields(${this.form(init)}, ${keys}, ${this.placeOf(node)})`;
      return this.made(node, new Map([[init, told]]));
    }
    const isUsed = id.type !== 'Identifier' || this.isRead(String(id.name));
    return this.made(node, new Map([[init, this.form(init, isUsed ? 'used' : 'ignored')]]));
  }

  /** Whether a variable of the function around is ever more than set. */
  private isRead(name: string): boolean {
    let seen = 0;
    const look = (node: Tree): void => {
      if (node.type === 'Identifier' && node.name === name) seen++;
      for (const part of partsOf(node)) look(part);
    };
    // others may import what is the module's
    if (this.around === null || this.around.type === 'Program') return true;
    look(this.around);
    return seen > 1;
  }

  private functionForm(node: Tree): string {
    const outer = this.around;
    this.around = node;
    const body = node.body as Tree;
    const params = (node.params as Tree[]).flatMap((param, i) => {
      const keys = this.keysOf(param);
      return keys === null
        ? []
        : [`${TOLD}.fields(arguments[${i}], ${keys}, ${this.placeOf(param)}); `];
    });
    const hasArguments = node.type !== 'ArrowFunctionExpression' && params.length > 0;
    const inner = this.form(body);
    const told = hasArguments ? `{ ${params.join('')}${inner.slice(1)}` : inner;
    const text = this.made(node, new Map([[body, told]]));
    this.around = outer;
    return text;
  }
}
