import { parseExpressionAt, type CallExpression, type Node } from 'acorn';
import { signatureOf, type FunctionDefinition } from '../indicators/definition.ts';
import { ERROR_CODES } from './error-codes.ts';
import { evaluateExpression } from './evaluate.ts';
import { FAMILY_NAMES, familyOf } from './families.ts';
import { FUNCTIONS } from './functions.ts';
import { LIMITS } from './limits.ts';
import { OPERATORS, type OperatorDefinition } from './operators.ts';
import { SERIES } from './series.ts';

/** A function as an editor completes and explains it. */
export interface FunctionDescription {
  readonly name: string;
  readonly family: string;
  /** `rsi(series = close, n)`: as it is written; optional arguments with their default. */
  readonly signature: string;
  readonly summary: string;
  /** `type`: series, value (series or number), condition, length (whole constant number of candles), number (constant), or text such as interval and symbol. */
  readonly arguments: readonly { readonly name: string; readonly type: string; readonly default?: string | number; readonly min?: number; readonly max?: number; readonly rest?: true }[];
  /** Names behind the dot, where there are several outputs. */
  readonly outputs: readonly string[];
  readonly returns: string;
  readonly unit: string;
  readonly seed: string;
  /** What its first value waits for, where that may come late or never. */
  readonly awaits?: string;
  /** Candles until the first value and until it has settled (the effect of the start is below 1e-6 of a price or of 100 points), of the call in the example. */
  readonly warmUp?: { readonly expression: string; readonly first: number; readonly settle: number };
  /** Of a running total: its level is refused, only its differences and slopes may be compared. */
  readonly cumulative?: true;
  /** What a candle costs, where that grows with the length. */
  readonly cost?: string;
  readonly source: string;
  readonly example: string;
}

/** The whole language: completion and hover data. `version` grows when a field changes its meaning or goes; fields may be added without. */
export interface LanguageDescription {
  readonly version: 1;
  readonly series: readonly { readonly name: string; readonly summary: string }[];
  readonly families: readonly string[];
  readonly functions: readonly FunctionDescription[];
  /** Those that bind closest first. */
  readonly operators: readonly OperatorDefinition[];
  readonly limits: readonly { readonly name: string; readonly value: number; readonly summary: string }[];
  /** `example`, over the names in `let`, gives the error. */
  readonly errors: readonly { readonly code: string; readonly summary: string; readonly example?: string; readonly let?: Readonly<Record<string, string>> }[];
}

const LIMIT_SUMMARIES: Record<keyof typeof LIMITS, string> = {
  sourceLength: 'characters of one expression',
  depth: 'parentheses, calls and operators inside each other, and `let` names that need each other',
  names: 'names in `params`, in `let`, and conditions in `where`, each',
  nodes: 'distinct calculations of one trader',
  length: 'candles of one length or offset',
  settle: 'candles until a whole trader has settled, nested lengths added up',
  stateSize: 'numbers that a trader keeps per symbol (8 bytes each)',
};

/** Describes the language from the tables that the compiler itself uses. */
export function describeLanguage(): LanguageDescription {
  const functions = [...FUNCTIONS.values()].map(describeFunction);
  const used = new Set(functions.map(({ family }) => family));
  return {
    version: 1,
    series: SERIES.map(({ name, summary }) => ({ name, summary })),
    families: FAMILY_NAMES.filter((family) => used.has(family)),
    functions,
    operators: OPERATORS,
    limits: (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).map((name) => ({ name, value: LIMITS[name], summary: LIMIT_SUMMARIES[name] })),
    errors: Object.entries(ERROR_CODES).map(([code, error]) => ({ code, ...error })),
  };
}

function describeFunction(definition: FunctionDefinition): FunctionDescription {
  const { name, summary, fields = [], returns, unit, seed, source, example } = definition;
  const { awaits, cumulative, cost } = definition;
  const warmUp = warmUpOf(definition);
  return {
    name, family: familyOf(definition), signature: signatureOf(definition), summary,
    arguments: definition.arguments.map(({ name, type, default: given, min, max, rest }) => ({
      name, type, ...(given === undefined ? {} : { default: given }), ...(min === undefined || min === -Infinity ? {} : { min }), ...(max === undefined || max === Infinity ? {} : { max }), ...(rest ? { rest } : {}),
    })),
    outputs: fields, returns, unit, seed, ...(awaits === undefined ? {} : { awaits }), ...(warmUp === undefined ? {} : { warmUp }), ...(cumulative === undefined ? {} : { cumulative }), ...(cost === undefined ? {} : { cost }), source, example,
  };
}

/** How long the call in a function's own example takes; what is computed elsewhere takes as long as it takes there. */
function warmUpOf(definition: FunctionDefinition): FunctionDescription['warmUp'] {
  if (definition.elsewhere !== undefined) return undefined;
  const { name, example } = definition;
  const call = callOf(parseExpressionAt(example, 0, { ecmaVersion: 'latest' }), name);
  if (call === undefined) return undefined;
  const expression = example.slice(call.start, call.end);
  const { first, settle } = evaluateExpression(expression, []);
  return { expression, first, settle };
}

/** The first call of a function in an expression, with the output behind it. */
function callOf(node: Node, name: string): Node | undefined {
  const calls = (one: Node): boolean => one.type === 'CallExpression' && (one as CallExpression).callee.type === 'Identifier' && ((one as CallExpression).callee as { name?: string }).name === name;
  if (calls(node)) return node;
  if (node.type === 'MemberExpression' && 'object' in node && 'computed' in node && !node.computed && calls(node.object as Node)) return node;
  for (const child of Object.values(node).flat()) {
    const found = child !== null && typeof child === 'object' && typeof (child as Node).type === 'string' ? callOf(child as Node, name) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
