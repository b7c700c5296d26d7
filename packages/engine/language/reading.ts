import type { CallExpression, Expression } from 'acorn';
import type { FunctionDefinition } from '../indicators/definition.ts';
import { compileExpression } from './compile-expression.ts';
import { Frames } from './frames.ts';
import { FUNCTIONS } from './functions.ts';
import { LanguageError } from './language-error.ts';
import { memo } from './memo.ts';
import { parseExpression } from './parse.ts';
import { scopeOf } from './scope.ts';

/** What a trader's own names stand for. */
export interface Names { readonly params: Readonly<Record<string, number>>; readonly lets: Readonly<Record<string, string>> }

/** A call of a function of the language, with the output behind it: `macd(12, 26, 9).line`. */
interface Call { readonly definition: FunctionDefinition; readonly args: readonly Expression[]; readonly output: string }

/** The expression of a `let` name: for the same names always the same node. */
export const letOf = memo((name: string, { lets }: Names): Expression | undefined => (Object.hasOwn(lets, name) ? parseExpression({ text: lets[name]!, field: `let.${name}` }) : undefined));

/** Reads a node as a call; undefined where it is none. For expressions that the compiler has accepted. */
export function callOf(node: Expression): Call | undefined {
  const inner = bare(node);
  const output = inner.type === 'MemberExpression' && !inner.computed && inner.property.type === 'Identifier' ? inner.property.name : '';
  const call = inner.type === 'MemberExpression' && output !== '' && inner.object.type !== 'Super' ? bare(inner.object) : inner;
  if (call.type !== 'CallExpression' || call.callee.type !== 'Identifier') return undefined;
  const definition = FUNCTIONS.get(call.callee.name);
  return definition && { definition, args: (call as CallExpression).arguments as Expression[], output };
}

/** Without parentheses around it. */
export function bare(node: Expression): Expression {
  let inner = node;
  while (inner.type === 'ParenthesizedExpression') inner = inner.expression;
  return inner;
}

const COMPARISONS: ReadonlySet<string> = new Set(['>', '>=', '<', '<=', '==', '===', '!=', '!==']);
export const isComparison = (operator: string): boolean => COMPARISONS.has(operator);

/** Whether a node is a condition, and not a number. */
export const isCondition = memo(readCondition);

function readCondition(node: Expression, names: Names): boolean {
  switch (node.type) {
    case 'ParenthesizedExpression': return isCondition(node.expression, names);
    case 'LogicalExpression': return true;
    case 'UnaryExpression': return node.operator === '!';
    case 'BinaryExpression': return isComparison(node.operator);
    case 'ConditionalExpression': return isCondition(node.consequent, names);
    case 'Identifier': {
      const meant = letOf(node.name, names);
      return meant !== undefined && isCondition(meant, names);
    }
    case 'MemberExpression': if (node.computed && node.object.type !== 'Super') return isCondition(node.object, names); break;
    default: break;
  }
  const call = callOf(node);
  if (call === undefined) return false;
  return call.definition.returns === 'same' ? isCondition(call.args.at(-1)!, names) : call.definition.returns === 'condition';
}

/** Whether a node is made of written numbers and params alone. */
export const isConstant = memo(readConstant);

function readConstant(node: Expression, names: Names): boolean {
  switch (node.type) {
    case 'ParenthesizedExpression': return isConstant(node.expression, names);
    case 'Literal': return true;
    case 'UnaryExpression': return isConstant(node.argument, names);
    case 'BinaryExpression': return node.left.type !== 'PrivateIdentifier' && isConstant(node.left, names) && isConstant(node.right, names);
    case 'Identifier': {
      if (Object.hasOwn(names.params, node.name)) return true;
      const meant = letOf(node.name, names);
      return meant !== undefined && isConstant(meant, names);
    }
    case 'ConditionalExpression': return [node.test, node.consequent, node.alternate].every((part) => isConstant(part, names));
    case 'LogicalExpression': return isConstant(node.left, names) && isConstant(node.right, names);
    case 'CallExpression': return !Number.isNaN(constantOf(node, names));
    default: return false;
  }
}

/** The number that a length or an offset is (a condition's is 1 or 0); NaN where it is none. For expressions that the compiler has accepted. */
export const constantOf = memo(readNumber);

function readNumber(node: Expression, names: Names): number {
  switch (node.type) {
    case 'ParenthesizedExpression': return constantOf(node.expression, names);
    case 'Literal': return Number(node.value);
    case 'UnaryExpression': {
      const value = constantOf(node.argument, names);
      return node.operator === '-' ? -value : node.operator === '!' ? Number(value === 0) : value;
    }
    case 'Identifier': {
      if (Object.hasOwn(names.params, node.name)) return names.params[node.name]!;
      const meant = letOf(node.name, names);
      return meant === undefined ? Number.NaN : constantOf(meant, names);
    }
    case 'BinaryExpression': return node.left.type === 'PrivateIdentifier' ? Number.NaN : folded(`(${constantOf(node.left, names)}) ${node.operator} (${constantOf(node.right, names)})`);
    case 'ConditionalExpression': {
      const test = constantOf(node.test, names);
      return Number.isNaN(test) ? Number.NaN : constantOf(test === 0 ? node.alternate : node.consequent, names);
    }
    case 'LogicalExpression': {
      const [a, b] = [constantOf(node.left, names), constantOf(node.right, names)];
      return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Number(node.operator === '&&' ? a !== 0 && b !== 0 : a !== 0 || b !== 0);
    }
    case 'CallExpression': {
      const args = callOf(node)?.args.map((arg) => constantOf(arg, names)) ?? [];
      return args.length === 0 || args.some(Number.isNaN) ? Number.NaN : folded(`${callOf(node)!.definition.name}(${args.join(', ')})`);
    }
    default: return Number.NaN;
  }
}

/** The number that the compiler itself makes of numbers; NaN where it makes none. */
function folded(text: string): number {
  const frames = new Frames('1m');
  try {
    const { ref } = compileExpression({ text, field: 'where' }, scopeOf({}, {}, frames, []), frames.own, frames, []);
    return frames.own.dag.constantOf(ref) ?? Number.NaN;
  } catch (error) {
    if (error instanceof LanguageError) return Number.NaN;
    throw error;
  }
}
