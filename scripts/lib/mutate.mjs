/**
 * Mistakes of the kinds that kernel code has, put into compiled modules of the model: all of them into one build,
 * where a number says which of them is made. What a mistake changes is an expression or the place of a statement, so
 * that several can be put into the same function.
 *
 * A mistake is a `Mutant`: `{ function, start, kind, was, now, edits }`. Its edits are of four sorts: `instead` of an
 * expression another one; a statement `left` out; a text `before` a statement, or `after` it.
 */
import { parse } from 'acorn';

/** The kinds of mistakes, in their order in tables. */
export const KINDS = [
  'guard dropped',
  'guard negated',
  'statements exchanged',
  'call dropped',
  'call moved',
  'other accessor',
  'error swallowed',
  'bound off by one',
];

/** Guards that are none of the kernel's: steps, and those who watch. */
const GUARD = /\b(stepping|monitor|ledger)\b/;
/** What only says that something is wrong, counts, or is told to those who watch. */
const COMPLAINT = /^\{?\s*(throw\b|k\.(report|bug|warn|throwBug|assertHeld|mightSleep)\()/;
const TELLS =
  /^(k\.(report|bug|warn|throwBug|assertHeld|mightSleep|counters)\b|k\.monitor\b|k\.ledger\b)/;

/**
 * What is done in twos: who forgets the second, or does it too early or too late, has the mistakes that kernel code has most.
 * By the last part of a call's name.
 */
const PAIRED =
  /^((folio|page|user|anonVma|get|grab|try|put|pin|unpin)\w*(Get|Put|Putback|Testzero|Fresh|HandOver|AnonVma|GrabFolio)\w*|get|put|drop|take|(un)?pin(Folio|UserPages|ned)|(folio)?(Try)?(Un)?[lL]ock\w*|\w+(Un)?[lL]ock(ed|Shared|Ptes?|Pmd|Page|Read|Write)?|(un)?lock\w*|flush\w*|tlb\w+|page|track|finish|notify\w*|\w*Notif\w+|mmuNotifier\w+|closeNotify|mnItree\w+|invalidate\w*|\w*Rmap\w*|folioAddLru|folioIsolateLru|folioPutbackLru|lruAddDrain\w*|pgtable(Deposit|Withdraw)|userfault\w*Wake\w*|uffdWake|setPageAnonExclusive|clearPageAnonExclusive|copyPage|clearPage|folioFree|freeRamFolio|release|eraseRange|erase)$/;

/** Accessors, and that of the other kind of entry, folio or area that stands for it. */
export const OTHER = {
  isDevicePrivate: 'isDeviceExclusive',
  isDeviceExclusive: 'isDevicePrivate',
  isMigration: 'isDevicePrivate',
  isMigrationRead: 'isMigrationReadExclusive',
  isMigrationReadExclusive: 'isMigrationRead',
  isMigrationWrite: 'isDevicePrivateWrite',
  isDevicePrivateWrite: 'isMigrationWrite',
  isMigrationYoung: 'pteYoung',
  isMigrationDirty: 'pteDirty',
  pteYoung: 'isMigrationYoung',
  pteDirty: 'isMigrationDirty',
  pteWrite: 'isMigrationWrite',
  ptePresent: 'pmdIsTable',
  pmdPresent: 'ptePresent',
  pmdTransHuge: 'pmdIsTable',
  pmdIsTable: 'pmdPresent',
  makeReadableMigrationEntry: 'makeReadableExclusiveMigrationEntry',
  makeReadableExclusiveMigrationEntry: 'makeReadableMigrationEntry',
  makeWritableMigrationEntry: 'makeReadableExclusiveMigrationEntry',
  makeReadableDevicePrivateEntry: 'makeWritableDevicePrivateEntry',
  makeWritableDevicePrivateEntry: 'makeReadableDevicePrivateEntry',
  makeDeviceExclusiveEntry: 'makeWritableDevicePrivateEntry',
  makeMigrationEntryYoung: 'makeMigrationEntryDirty',
  makeMigrationEntryDirty: 'makeMigrationEntryYoung',
  pteMkdirty: 'makeMigrationEntryDirty',
  folioIsDevicePrivate: 'folioIsDeviceCoherent',
  folioIsDeviceCoherent: 'folioIsDevicePrivate',
  folioIsZoneDevice: 'folioIsDevicePrivate',
  folioMapcount: 'folioEntireMapcount',
  folioEntireMapcount: 'folioMapcount',
  pageMapcount: 'folioMapcount',
  SWP_SOFT_DIRTY: 'PTE_SOFT_DIRTY',
  PTE_SOFT_DIRTY: 'SWP_SOFT_DIRTY',
  SWP_EXCLUSIVE: 'SWP_UFFD',
  SWP_UFFD: 'PTE_UFFD',
  PTE_UFFD: 'SWP_UFFD',
  PTE_ACCESSED: 'PTE_DIRTY',
  PTE_DIRTY: 'PTE_ACCESSED',
  vmaIsAnonymous: 'vmaIsCowMapping',
  vmaIsCowMapping: 'vmaIsAnonymous',
  linearPageIndex: 'linearAnonPageIndex',
  linearAnonPageIndex: 'linearPageIndex',
};

/** What leaves a function or a turn of a loop. */
const EXITS = new Set(['ReturnStatement', 'ContinueStatement', 'BreakStatement', 'ThrowStatement']);
const LOOPS = new Set([
  'ForStatement',
  'ForOfStatement',
  'ForInStatement',
  'WhileStatement',
  'DoWhileStatement',
]);
const FUNCTIONS = /Function(Declaration|Expression)$/;

const isNode = (value) => typeof value?.type === 'string';
/** The nodes that a node is made of, as they are written. */
const partsOf = (node) =>
  Object.values(node)
    .flat()
    .filter(isNode)
    .sort((a, b) => a.start - b.start);

/** Every node below a node that fits, but not those of functions in it. */
function* below(node, fits) {
  if (fits(node)) yield node;
  for (const part of partsOf(node)) if (!FUNCTIONS.test(part.type)) yield* below(part, fits);
}

const parsed = (code) => parse(code, { ecmaVersion: 'latest', sourceType: 'module' });

/** What is called, without the object whose method it is. */
function calledName(node) {
  const call = node.type === 'YieldExpression' ? node.argument : node;
  if (call?.type !== 'CallExpression') return '';
  const { callee } = call;
  if (callee.type === 'Identifier') return callee.name;
  return callee.type === 'MemberExpression' && !callee.computed ? callee.property.name : '';
}

/** Every mistake that can be made in a module, in the order of its text. */
export function mutantsOf(code) {
  const mutants = [];
  let name = '';
  /** Nodes in which no mistake is made. */
  let skipped = 0;
  const textOf = ({ start, end }) => code.slice(start, end);
  const short = (text) => {
    const line = text
      .replace(/\/\/[^\n]*/g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
    return line.length <= 90 ? line : `${line.slice(0, 88)}…`;
  };
  const add = (kind, node, was, now, edits) => {
    if (name === '' || skipped > 0) return;
    mutants.push({
      function: name,
      start: node.start,
      kind,
      was: short(was),
      now: short(now),
      edits,
    });
  };
  const instead = (kind, node, text, shown = node, shownText = text) =>
    add(kind, node, textOf(shown), shownText, [{ at: node, sort: 'instead', text }]);

  const isStep = (node) =>
    node.type === 'IfStatement' && GUARD.test(textOf(node.test)) && node.alternate === null;
  const isExit = (node) => {
    if (node.type === 'BlockStatement') return node.body.length > 0 && isExit(node.body.at(-1));
    return EXITS.has(node.type);
  };
  const declares = (node) => /Declaration$/.test(node.type);
  const leavesInside = (nodes) =>
    nodes.some((node) => !below(node, (one) => EXITS.has(one.type)).next().done);
  const namesIn = (node) =>
    new Set([...below(node, (one) => one.type === 'Identifier')].map((one) => one.name));

  /** The statements of a block: each with the steps before it. */
  function unitsOf(body) {
    const units = [];
    let steps = [];
    for (const node of body) {
      if (isStep(node)) steps.push(node);
      else {
        units.push({ node, all: [...steps, node] });
        steps = [];
      }
    }
    return units;
  }

  /** Whether a statement is one whose order to others can matter. */
  const acts = ({ node }) =>
    !TELLS.test(textOf(node)) &&
    !(node.type === 'IfStatement' && COMPLAINT.test(textOf(node.consequent))) &&
    !below(node, (one) => one.type === 'CallExpression').next().done;

  const moved = (unit, sort, to) => [
    ...unit.all.map((at) => ({ at, sort: 'left' })),
    { at: to, sort, text: unit.all.map(textOf).join(' ') },
  ];

  /** What a unit does in twos: the call of a statement, or of a condition that is nothing else. */
  function paired({ node }) {
    const call =
      node.type === 'ExpressionStatement'
        ? node.expression
        : node.type === 'IfStatement' && node.alternate === null && !isExit(node.consequent)
          ? node.test
          : null;
    return call && PAIRED.test(calledName(call)) && !TELLS.test(textOf(node))
      ? calledName(call)
      : '';
  }

  function ofBlock(body) {
    const units = unitsOf(body);
    for (const [i, unit] of units.entries()) {
      const { node } = unit;
      const movable = !declares(node) && !isExit(node) && !leavesInside([node]);
      const call = movable ? paired(unit) : '';
      if (call !== '')
        add(
          'call dropped',
          node,
          textOf(node),
          '',
          unit.all.map((at) => ({ at, sort: 'left' })),
        );
      const next = units[i + 1];
      const before = units[i - 1];
      if (!movable) continue;
      if (next && !isExit(next.node) && acts(unit) && acts(next)) {
        const kind = call !== '' ? 'call moved' : 'statements exchanged';
        const shown = `${short(textOf(node))} ⇄ ${short(textOf(next.node))}`;
        if (!declares(next.node) || usesNone(node, next.node))
          add(kind, node, shown, 'the other way round', moved(unit, 'after', next.node));
      }
      if (call === '' || !before || !acts(before)) continue;
      if (leavesInside([before.node]) || !usesNone(node, before.node)) continue;
      const shown = `${short(textOf(before.node))} ⇄ ${short(textOf(node))}`;
      add('call moved', node, shown, 'one step earlier', moved(unit, 'before', before.all[0]));
    }
  }

  /** Whether a statement uses nothing that another one declares. */
  function usesNone(node, other) {
    if (!declares(other)) return true;
    const names = namesIn(node);
    const own = other.declarations?.flatMap(({ id }) => [...namesIn(id)]) ?? [];
    return own.every((one) => !names.has(one));
  }

  function ofCondition(test, isLeft) {
    const text = textOf(test);
    instead('guard negated', test, `!(${text})`);
    if (isLeft !== undefined) instead('guard dropped', test, isLeft ? 'false' : 'true');
    const operands = (node) => {
      if (node.type !== 'LogicalExpression' || node.operator === '??') return;
      const neutral = node.operator === '&&' ? 'true' : 'false';
      for (const side of [node.left, node.right]) {
        instead('guard dropped', side, neutral, test, text.replace(textOf(side), neutral));
        operands(side);
      }
    };
    operands(test);
  }

  const BOUNDS = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' };
  const isZero = (node) => node.type === 'Literal' && node.value === 0;

  function ofBinary(node) {
    const { left, operator, right } = node;
    const other = BOUNDS[operator];
    if (other !== undefined) {
      if (isZero(right) && (operator === '<' || operator === '>=')) return;
      instead('bound off by one', node, `${textOf(left)} ${other} ${textOf(right)}`);
    } else if (
      (operator === '+' || operator === '-') &&
      right.type === 'Literal' &&
      right.value === 1
    ) {
      instead('bound off by one', node, `(${textOf(left)})`);
    }
  }

  /** `-EBUSY` where it is returned. */
  function ofReturn(node) {
    const { argument } = node;
    if (argument === null) return;
    const isError = (one) =>
      one.type === 'UnaryExpression' && one.operator === '-' && /^E[A-Z]+$/.test(one.argument.name);
    for (const error of below(argument, isError)) {
      instead('error swallowed', error, '0', node, textOf(node).replace(textOf(error), '0'));
    }
    if (argument.type === 'Literal' && argument.value === false) {
      instead('error swallowed', argument, 'true', node, 'return true;');
    }
  }

  function ofResult(id, value, node) {
    if (id.type !== 'Identifier' || !/^(ret|err|error|result|left|failed)$/.test(id.name)) return;
    const call = value?.type === 'YieldExpression' ? value.argument : value;
    if (call?.type !== 'CallExpression') return;
    instead('error swallowed', value, `(${textOf(value)}, 0)`, node, `${id.name} = 0 after it`);
  }

  function ofIdentifier(node) {
    const other = Object.hasOwn(OTHER, node.name) ? OTHER[node.name] : undefined;
    if (other !== undefined) instead('other accessor', node, `$other.${other}`, node, other);
  }

  function without(nodes) {
    skipped++;
    for (const node of nodes) visit(node, null);
    skipped--;
  }

  function visit(node, parent) {
    if (FUNCTIONS.test(node.type)) {
      const own = node.id?.name ?? (parent?.type === 'MethodDefinition' ? parent.key.name : null);
      const outer = name;
      if (own) name = own;
      visit(node.body, node);
      name = outer;
      return;
    }
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportSpecifier':
        return;
      case 'BlockStatement':
        ofBlock(node.body);
        break;
      case 'IfStatement':
        if (GUARD.test(textOf(node.test))) return without(partsOf(node));
        if (COMPLAINT.test(textOf(node.consequent)) && node.alternate === null)
          return without(partsOf(node));
        ofCondition(node.test, isExit(node.consequent));
        break;
      case 'ConditionalExpression':
        ofCondition(node.test);
        break;
      case 'ExpressionStatement':
        if (TELLS.test(textOf(node))) return;
        break;
      case 'BinaryExpression':
        ofBinary(node);
        break;
      case 'ReturnStatement':
        ofReturn(node);
        if (node.argument?.type === 'LogicalExpression') ofCondition(node.argument);
        break;
      case 'VariableDeclarator':
        ofResult(node.id, node.init, node);
        break;
      case 'AssignmentExpression':
        if (node.operator === '=') ofResult(node.left, node.right, node);
        break;
      case 'MemberExpression':
        visit(node.object, node);
        if (node.computed) visit(node.property, node);
        return;
      case 'Property':
        if (node.computed) visit(node.key, node);
        visit(node.value, node);
        return;
      case 'ObjectPattern':
      case 'ArrayPattern':
        return;
      case 'Identifier':
        if (parent?.type !== 'VariableDeclarator' || parent.id !== node) ofIdentifier(node);
        return;
    }
    for (const part of partsOf(node)) visit(part, node);
  }

  for (const node of parsed(code).body) visit(node, null);
  return mutants.map((one, i) => ({ ...one, i }));
}

/**
 * A module with mistakes in it, each made where `$on` is its number, and loops that end.
 * @param chosen mistakes of `mutantsOf(code)`, each with its number `id`, from 1
 * @param runtime what the module begins with: it has to bring `$on`, `$hits`, `$round` and `$other`
 * @param notes whether, instead, nothing is changed and `$hits` notes which places were come to
 */
export function withMutants(code, chosen, runtime, notes = false) {
  /** By node, by where it begins and ends. */
  const edits = new Map();
  const keyOf = ({ start, end, type }) => `${start} ${end} ${type}`;
  for (const { id, edits: own } of chosen) {
    for (const { at, ...edit } of own) {
      const key = keyOf(at);
      edits.set(key, [...(edits.get(key) ?? []), { ...edit, id }]);
    }
  }

  function plain(node) {
    let text = '';
    let at = node.start;
    for (const part of partsOf(node)) {
      // the name and the value of `{ a }` are at one place
      if (part.start < at) continue;
      const form = LOOPS.has(node.type) && part === node.body ? turn(part) : made(part);
      text += code.slice(at, part.start) + form;
      at = part.end;
    }
    return text + code.slice(at, node.end);
  }

  function turn(body) {
    const text = made(body);
    return body.type === 'BlockStatement' && text.startsWith('{')
      ? `{ $round(); ${text.slice(1)}`
      : `{ $round(); ${text} }`;
  }

  function made(node) {
    let text = plain(node);
    const own = edits.get(keyOf(node)) ?? [];
    const of = (sort) => own.filter((edit) => edit.sort === sort);
    for (const { id, text: other } of of('instead')) {
      text = notes ? `($hits[${id}] = 1, ${text})` : `($on === ${id} ? ${other} : ${text})`;
    }
    for (const { id } of of('left')) {
      text = notes ? `{ $hits[${id}] = 1; ${text} }` : `if ($on !== ${id}) { ${text} }`;
    }
    if (notes) return text;
    for (const { id, text: more } of of('before')) text = `if ($on === ${id}) { ${more} } ${text}`;
    for (const { id, text: more } of of('after')) text += ` if ($on === ${id}) { ${more} }`;
    return text;
  }

  return `${runtime} ${made(parsed(code))}`;
}

/** A generator of numbers from 0 to 1, the same for the same seed (mulberry32). */
export function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(list, random) {
  const all = [...list];
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all;
}

/**
 * Draws mistakes evenly over functions: one of each, then another one of each that has more, in an order of its own,
 * until there are enough. Of a function's kinds the one that was drawn least so far.
 * @param all mistakes, each with `file` and `function`
 */
export function sampled(all, count, seed) {
  const random = numbers(seed);
  const functions = new Map();
  for (const one of all) {
    const key = `${one.file} ${one.function}`;
    functions.set(key, [...(functions.get(key) ?? []), one]);
  }
  const kinds = new Map(KINDS.map((kind) => [kind, 0]));
  const left = [...functions.values()].map((own) => shuffled(own, random));
  const chosen = [];
  for (let round = 0; ; round++) {
    const more = shuffled(
      left.filter((own) => own.length > 0),
      random,
    );
    if (more.length === 0) return chosen;
    for (const own of more) {
      // each has its turn in the first round, whatever is asked for
      if (round > 0 && chosen.length >= count) return chosen;
      let best = 0;
      for (const [i, { kind }] of own.entries()) {
        if (kinds.get(kind) < kinds.get(own[best].kind)) best = i;
      }
      const [one] = own.splice(best, 1);
      kinds.set(one.kind, kinds.get(one.kind) + 1);
      chosen.push(one);
    }
  }
}
