import type { Dag, Ref } from '../graph/dag.ts';

/**
 * What an argument may be. `series`: a number that changes from candle to candle; `value`: a series or a number; `condition`;
 * `length`: a whole constant number of candles; `number`: a constant number; `interval` and `symbol`: written text; `expression`: a series or a condition.
 */
export type ArgumentType = 'series' | 'value' | 'condition' | 'length' | 'number' | 'interval' | 'symbol' | 'expression';

export interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
  /** For `series`: the column read when it is left out. For `length` and `number`: the value. */
  readonly default?: 'close' | number;
  readonly min?: number;
  readonly max?: number;
  /** The last argument may be given more than once. */
  readonly rest?: boolean;
}

/** A function of the language: an indicator or a helper. One row of the table from which compiler, errors and documentation are made. */
export interface FunctionDefinition {
  readonly name: string;
  /** One sentence: what it is. */
  readonly summary: string;
  readonly arguments: readonly Argument[];
  /** What it gives: with several outputs, their names (`macd(12, 26, 9).line`). */
  readonly fields?: readonly string[];
  /** `same`: that of its expression. */
  readonly returns: 'series' | 'condition' | 'same';
  /** Set where the last argument is computed elsewhere: on another interval, of another symbol, or of every symbol that the trader screens. */
  readonly elsewhere?: 'interval' | 'symbol' | 'market';
  /** Set of a running total: its level depends on where the candles began, so that only its differences and slopes say something. */
  readonly cumulative?: true;
  /** price, points (5 = 5 %), ratio, volume, count, or that of its input. */
  readonly unit: string;
  /** How the running value starts. */
  readonly seed: string;
  /** Set where a value waits for an event that may come late or never: what it waits for. The first value is then where it says at the earliest. */
  readonly awaits?: string;
  /** Set where a candle costs more than the few steps that all others take, whatever their length: what it costs. */
  readonly cost?: string;
  /** Who defined it so. */
  readonly source: string;
  readonly example: string;
  /** Adds what is asked for to the graph: nodes for the series arguments, numbers for the constant ones, the field when there are several. */
  build(dag: Dag, series: readonly Ref[], numbers: readonly number[], field: string): Ref;
}

/** The largest length an argument may have, in candles. */
export const MAX_LENGTH = 1_000;

/** Arguments that recur. */
export const inputSeries: Argument = { name: 'series', type: 'series', default: 'close' };
export const length = (name = 'n', min = 1): Argument => ({ name, type: 'length', min, max: MAX_LENGTH });

/** `rsi(series = close, n)`: how a function is written. */
export function signatureOf(definition: FunctionDefinition): string {
  const parts = definition.arguments.map((argument) => `${argument.rest ? '...' : ''}${argument.name}${argument.default === undefined ? '' : ` = ${argument.default}`}`);
  const fields = definition.fields === undefined ? '' : definition.fields.map((field) => `.${field}`).join(' ');
  return `${definition.name}(${parts.join(', ')})${fields}`;
}

const helps = new WeakMap<FunctionDefinition, string>();

/** How a function is written and what it is, in one line; every call that is compiled has it at hand, so it is put together once. */
export function helpOf(definition: FunctionDefinition): string {
  let help = helps.get(definition);
  if (help === undefined) helps.set(definition, (help = `${signatureOf(definition)}: ${definition.summary} Example: ${definition.example}.`));
  return help;
}
