import type { CallExpression, Expression } from 'acorn';
import type { FunctionDefinition } from '../indicators/definition.ts';
import { FUNCTIONS } from './functions.ts';
import { parseExpression } from './parse.ts';

/** What a trader's own names stand for. */
export interface Names { readonly params: Readonly<Record<string, number>>; readonly lets: Readonly<Record<string, string>> }

/** A call of a function of the language, with the output behind it: `macd(12, 26, 9).line`. */
interface Call { readonly definition: FunctionDefinition; readonly args: readonly Expression[]; readonly output: string }

/** The expression of a `let` name. */
export const letOf = (name: string, { lets }: Names): Expression | undefined => (Object.hasOwn(lets, name) ? parseExpression({ text: lets[name]!, field: `let.${name}` }) : undefined);

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
export function isCondition(node: Expression, names: Names): boolean {
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
export function isConstant(node: Expression, names: Names): boolean {
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
    default: return false;
  }
}

/** The number that a length or an offset is; NaN where it is none. For expressions that the compiler has accepted. */
export function constantOf(node: Expression, names: Names): number {
  switch (node.type) {
    case 'ParenthesizedExpression': return constantOf(node.expression, names);
    case 'Literal': return Number(node.value);
    case 'UnaryExpression': return node.operator === '-' ? -constantOf(node.argument, names) : constantOf(node.argument, names);
    case 'Identifier': {
      if (Object.hasOwn(names.params, node.name)) return names.params[node.name]!;
      const meant = letOf(node.name, names);
      return meant === undefined ? Number.NaN : constantOf(meant, names);
    }
    case 'BinaryExpression': {
      if (node.left.type === 'PrivateIdentifier') return Number.NaN;
      const [a, b] = [constantOf(node.left, names), constantOf(node.right, names)];
      return node.operator === '+' ? a + b : node.operator === '-' ? a - b : node.operator === '*' ? a * b : node.operator === '/' ? a / b : node.operator === '%' ? a % b : Number.NaN;
    }
    default: return Number.NaN;
  }
}
