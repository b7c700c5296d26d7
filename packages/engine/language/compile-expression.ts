import type { BinaryExpression, CallExpression, Expression, Identifier, Literal, MemberExpression } from 'acorn';
import { add, divide, multiply, negate, remainder, subtract } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { offsetOf } from '../graph/history.ts';
import { and, choose, equal, greater, greaterOrEqual, not, or } from '../graph/logic.ts';
import type { NodeKind } from '../graph/node-kind.ts';
import { helpOf } from '../indicators/definition.ts';
import { compileCall } from './compile-call.ts';
import { operatorMeant } from './explain-syntax.ts';
import type { Frame, Frames } from './frames.ts';
import { FUNCTIONS } from './functions.ts';
import type { LanguageError, LanguageErrorCode } from './language-error.ts';
import { LIMITS } from './limits.ts';
import { ownWindow } from './own-window.ts';
import { errorAt, parseExpression, type Source } from './parse.ts';
import { driftOf, isStill, sameDrift } from './running-totals.ts';
import { SERIES } from './series.ts';
import { suggest } from './suggest.ts';
import { TYPE_WORDS, type Reading, type Scope, type Typed } from './typed.ts';

const SERIES_BY_NAME = new Map(SERIES.map((series) => [series.name, series]));
const ARITHMETIC = new Map<string, NodeKind>([['+', add], ['-', subtract], ['*', multiply], ['/', divide], ['%', remainder]]);
/** kind, whether the sides are exchanged, whether the answer is negated. `!=` is not ready where `==` is not. */
const COMPARISON = new Map<string, { kind: NodeKind; exchanged?: true; negated?: true }>([
  ['>', { kind: greater }], ['<', { kind: greater, exchanged: true }],
  ['>=', { kind: greaterOrEqual }], ['<=', { kind: greaterOrEqual, exchanged: true }],
  ['==', { kind: equal }], ['===', { kind: equal }], ['!=', { kind: equal, negated: true }], ['!==', { kind: equal, negated: true }],
]);

/** Words for what JavaScript has and this language does not. */
const REFUSED: Partial<Record<string, string>> = {
  TemplateLiteral: 'template text', TaggedTemplateExpression: 'template text', ArrowFunctionExpression: 'a function of your own', FunctionExpression: 'a function of your own',
  ClassExpression: 'a class', NewExpression: '`new`', ThisExpression: '`this`', ObjectExpression: 'an object', ArrayExpression: 'a list', AssignmentExpression: 'an assignment',
  UpdateExpression: 'an assignment', SequenceExpression: 'a list of expressions', AwaitExpression: '`await`', ImportExpression: '`import`', MetaProperty: '`import.meta`',
  ChainExpression: '`?.`', SpreadElement: '`...`', YieldExpression: '`yield`',
};

/**
 * Compiles one expression into the graph of `frame`, and what it looks at elsewhere into other frames. Whatever is not on the allow-list of this file is refused; nothing is evaluated as code.
 * Throws LanguageError and nothing else. `warnings` gathers what is allowed but hardly meant.
 */
export function compileExpression(source: Source, scope: Scope, frame: Frame, frames: Frames, warnings: string[]): Typed {
  return new Compiler(source, scope, frame, frames, warnings).compile(parseExpression(source), 1);
}

/** One expression being compiled. */
export class Compiler {
  readonly source: Source;
  readonly frame: Frame;
  readonly frames: Frames;
  readonly #scope: Scope;
  readonly #warnings: string[];

  constructor(source: Source, scope: Scope, frame: Frame, frames: Frames, warnings: string[]) {
    this.source = source;
    this.#scope = scope;
    this.frame = frame;
    this.frames = frames;
    this.#warnings = warnings;
  }

  get dag(): Dag {
    return this.frame.dag;
  }

  /** The same compiler in another frame. */
  in(frame: Frame): Compiler {
    return frame === this.frame ? this : new Compiler(this.source, this.#scope, frame, this.frames, this.#warnings);
  }

  error(node: { start: number; end: number }, code: LanguageErrorCode, message: string, nextStep?: string): LanguageError {
    return errorAt(this.source, code, node, message, nextStep);
  }

  text(node: { start: number; end: number }): string {
    return this.source.text.slice(node.start, node.end).trim().replaceAll(/\s+/g, ' ');
  }

  compile(node: Expression, depth: number): Typed {
    if (depth > LIMITS.depth) throw this.error(node, 'too_deep', `nested more than ${LIMITS.depth} deep.`, 'Give parts of it names in `let`.');
    if (this.frames.nodes > LIMITS.nodes) throw this.error(node, 'too_large', `the trader needs more than ${LIMITS.nodes} distinct calculations.`);
    switch (node.type) {
      case 'ParenthesizedExpression':
        return this.compile(node.expression, depth + 1);
      case 'Literal':
        return this.#literal(node);
      case 'Identifier':
        return this.#name(node);
      case 'UnaryExpression': {
        const operand = this.compile(node.argument, depth + 1);
        if (node.operator === '!') return this.#condition(node, not, [this.#expect(node.argument, operand, 'condition', '! ')], operand.readings);
        if (node.operator !== '-' && node.operator !== '+') throw this.#refused(node, `\`${node.operator}\``);
        this.#expectNumber(node.argument, operand, `${node.operator} `);
        return node.operator === '+' ? operand : { ...operand, ref: this.dag.node(negate, [operand.ref]), text: this.text(node) };
      }
      case 'BinaryExpression':
        return this.#binary(node, depth);
      case 'LogicalExpression': {
        if (node.operator === '??') throw this.#refused(node, '`??`');
        const sides = [node.left, node.right].map((side) => this.compile(side, depth + 1));
        const refs = sides.map((side, index) => this.#expect(index === 0 ? node.left : node.right, side, 'condition', `${node.operator} `));
        return this.#condition(node, node.operator === '&&' ? and : or, refs, sides.flatMap((side) => side.readings));
      }
      case 'ConditionalExpression': {
        const test = this.compile(node.test, depth + 1);
        this.#expect(node.test, test, 'condition', '? ');
        const [yes, no] = [this.compile(node.consequent, depth + 1), this.compile(node.alternate, depth + 1)];
        if ((yes.type === 'condition') !== (no.type === 'condition')) {
          throw this.error(node.alternate, 'wrong_type', `both sides of ? : must be of one kind; ${yes.text} is ${TYPE_WORDS[yes.type]}, ${no.text} is ${TYPE_WORDS[no.type]}.`);
        }
        const ref = this.dag.node(choose, [test.ref, yes.ref, no.ref]);
        if (yes.type === 'condition') return { type: 'condition', ref, text: this.text(node), literal: false, readings: unique([...test.readings, ...yes.readings, ...no.readings]) };
        return this.#number(node, ref, false);
      }
      case 'CallExpression':
        return this.#call(node, undefined, depth);
      case 'MemberExpression':
        return this.#member(node, depth);
      default:
        throw this.#refused(node, REFUSED[node.type] ?? 'this');
    }
  }

  /** A number of this source: constant where the graph found it so. */
  #number(node: { start: number; end: number }, ref: Ref, literal: boolean): Typed {
    return { type: this.dag.constantOf(ref) === undefined ? 'series' : 'number', ref, text: this.text(node), literal, readings: [] };
  }

  #condition(node: { start: number; end: number }, kind: NodeKind, inputs: readonly Ref[], readings: readonly Reading[]): Typed {
    return { type: 'condition', ref: this.dag.node(kind, inputs), text: this.text(node), literal: false, readings: unique(readings) };
  }

  #literal(node: Literal): Typed {
    if (typeof node.value !== 'number' || !Number.isFinite(node.value)) {
      throw this.#refused(node, node.regex ? 'a pattern' : node.bigint == null ? (typeof node.value === 'string' ? 'text' : `\`${this.text(node)}\``) : 'a whole number with n');
    }
    return this.#number(node, this.dag.constant(node.value), true);
  }

  #name(node: Identifier): Typed {
    const known = this.#scope.resolve(node.name, this.frame);
    if (known !== undefined) return { ...known, text: node.name };
    const series = this.#scope.series ? SERIES_BY_NAME.get(node.name) : undefined;
    if (series !== undefined) {
      const ref = series.build(this.dag);
      if (ref === undefined) throw this.error(node, 'not_allowed', `there is no ${node.name} on ${this.frame.interval} candles: a day is shorter than one.`, 'Use an interval of at most 1d.');
      return this.#number(node, ref, false);
    }
    const definition = FUNCTIONS.get(node.name);
    if (definition !== undefined && this.#scope.series) {
      throw this.error(node, 'wrong_type', `${node.name} is a function and needs parentheses.`, helpOf(definition));
    }
    throw this.unknown(node, [...this.#scope.names(), ...(this.#scope.series ? [...SERIES_BY_NAME.keys(), ...FUNCTIONS.keys()] : [])], 'name');
  }

  /** An unknown name, with what was probably meant. */
  unknown(node: Identifier, known: readonly string[], what: 'name' | 'function'): LanguageError {
    const meant = (what === 'function' ? operatorMeant(node.name) : undefined) ?? suggest(node.name, known);
    const definition = meant === undefined ? undefined : FUNCTIONS.get(meant);
    const guess = meant === undefined ? '' : ` Did you mean ${meant}?`;
    const own = what === 'function' ? '' : 'If it is your own, give it a number in `params` or an expression in `let`. ';
    const list = `${own}${what === 'function' ? 'Functions' : 'Series'}: ${[...(what === 'function' ? FUNCTIONS : SERIES_BY_NAME).keys()].join(', ')}.`;
    const nextStep = definition === undefined ? (this.#scope.hint ?? (meant === undefined ? list : undefined)) : helpOf(definition);
    return this.error(node, 'unknown_name', `there is no ${what} "${node.name.slice(0, 40)}".${guess}`, nextStep);
  }

  #binary(node: BinaryExpression, depth: number): Typed {
    if (node.left.type === 'PrivateIdentifier') throw this.#refused(node, 'a private name');
    const left = this.compile(node.left, depth + 1);
    const right = this.compile(node.right, depth + 1);
    const arithmetic = ARITHMETIC.get(node.operator);
    const comparison = COMPARISON.get(node.operator);
    if (arithmetic === undefined && comparison === undefined) throw this.#refused(node, `\`${node.operator}\``);
    if (comparison !== undefined && left.type === 'condition' && COMPARISON.has((node.left as { operator?: string }).operator ?? '')) {
      throw this.error(node, 'wrong_type', 'comparisons cannot be chained.', 'Write each one: a < b && b < c.');
    }
    this.#expectNumber(node.left, left, `${node.operator} `);
    this.#expectNumber(node.right, right, `${node.operator} `);
    if (arithmetic !== undefined) return this.#number(node, this.dag.node(arithmetic, [left.ref, right.ref]), left.literal && right.literal);
    const { kind, exchanged, negated } = comparison!;
    this.checkDrift(node, [left, right]);
    if (kind === greater) this.warnAboutReach(...(exchanged ? [right, left] as const : [left, right] as const));
    const ref = this.dag.node(kind, exchanged ? [right.ref, left.ref] : [left.ref, right.ref]);
    return { type: 'condition', ref: negated ? this.dag.node(not, [ref]) : ref, text: this.text(node), literal: false, readings: this.readingsOf([left, right]) };
  }

  /** The numbers that a comparison, a crossing or a run speaks of; written numbers say themselves. */
  readingsOf(operands: readonly Typed[]): readonly Reading[] {
    return unique(operands.flatMap((operand) => (operand.type === 'condition' ? operand.readings : operand.literal ? [] : [{ expression: operand.text, ref: operand.ref }])));
  }

  /** Refuses to compare numbers whose difference depends on where a running total began; with `level`, those that depend on it themselves. */
  checkDrift(node: { start: number; end: number }, operands: readonly Typed[], level?: true): void {
    const drifts = operands.filter(({ type }) => type !== 'condition').map(({ ref }) => driftOf(this.frames, this.frame, ref));
    const [first] = drifts;
    if (first === undefined || (level ? drifts.every(isStill) : drifts.every((drift) => sameDrift(drift, first)))) return;
    const { text } = operands[drifts.findIndex((drift) => !isStill(drift))]!;
    throw this.error(
      node, 'cumulative', `${text} is or depends on a running total, whose level says only where the candles began.`,
      'Compare a difference or a slope, such as change(obv(), 10) > 0, or a total with itself: obv() > sma(obv(), 20), obv() > obv()[5].',
    );
  }

  /** Warns where `a > b` never holds, for one side is an extreme of a window that includes the candle itself: `close > highest(high, 20)`. */
  warnAboutReach(above: Typed, below: Typed): void {
    const side = ownWindow(this.dag, above.ref, below.ref);
    if (side === undefined) return;
    const text = (side === 'above' ? above : below).text.replace(/\[0\]$/, '');
    this.#warnings.push(`${this.source.field}: ${text} includes the current candle; ${text}[1] is probably meant.`);
  }

  #call(node: CallExpression, field: Identifier | undefined, depth: number): Typed {
    if (node.optional) throw this.#refused(node, '`?.`');
    if (node.callee.type !== 'Identifier') throw this.error(node.callee, 'not_allowed', 'only the functions of the language can be called.', 'Write name(…), such as rsi(14).');
    if (!this.#scope.series) throw this.error(node, 'not_allowed', 'functions cannot be called here.', this.#scope.hint);
    const definition = FUNCTIONS.get(node.callee.name);
    if (definition === undefined) throw this.unknown(node.callee, [...FUNCTIONS.keys()], 'function');
    const { ref, type, readings } = compileCall(this, definition, node, field, depth);
    if (type === 'condition') return { type, ref, text: this.text(node), literal: false, readings };
    return this.#number(field === undefined ? node : { start: node.start, end: field.end }, ref, false);
  }

  #member(node: MemberExpression, depth: number): Typed {
    if (node.optional) throw this.#refused(node, '`?.`');
    if (node.object.type === 'Super') throw this.#refused(node, '`super`');
    if (!node.computed) {
      if (node.property.type !== 'Identifier') throw this.#refused(node, 'a private name');
      let object: Expression = node.object;
      while (object.type === 'ParenthesizedExpression') object = object.expression;
      if (object.type === 'CallExpression') return this.#call(object, node.property, depth + 1);
      throw this.error(node.property, 'not_allowed', `.${node.property.name.slice(0, 40)} is not part of the language here: only the outputs of an indicator are named so.`, 'Example: macd(12, 26, 9).histogram.');
    }
    const object = this.compile(node.object, depth + 1);
    const index = this.compile(node.property as Expression, depth + 1);
    const n = this.dag.constantOf(index.ref);
    const candles = index.type === 'number' ? n : undefined;
    if (candles === undefined) throw this.error(node.property, 'wrong_type', `an offset must be a constant number of candles, ${index.text} is ${TYPE_WORDS[index.type]}.`, 'Example: close[1] is the close of the candle before.');
    if (candles < 0) throw this.error(node.property, 'wrong_argument', 'an offset looks back: it cannot be negative.', 'Example: close[1] is the close of the candle before.');
    if (!Number.isInteger(candles) || candles > LIMITS.length) {
      throw this.error(node.property, candles > LIMITS.length ? 'too_far' : 'wrong_argument', `an offset must be a whole number from 0 to ${LIMITS.length}, not ${candles}.`);
    }
    if (object.type === 'number') throw this.error(node.object, 'wrong_type', `${object.text} is a number: it has no candles to look back on.`, 'Example: close[1].');
    const ref = offsetOf(this.dag, object.ref, candles);
    const readings = candles === 0 ? object.readings : object.readings.map((reading) => {
      const constant = this.dag.constantOf(reading.ref) !== undefined;
      const simple = /^[\w.]+(\([^()]*\))?(\.\w+)?$/.test(reading.expression);
      return constant ? reading : { expression: `${simple ? reading.expression : `(${reading.expression})`}[${candles}]`, ref: offsetOf(this.dag, reading.ref, candles) };
    });
    return { type: object.type, ref, text: this.text(node), literal: false, readings };
  }

  #expect(node: { start: number; end: number }, typed: Typed, type: 'condition', operator: string): Ref {
    if (typed.type !== type) throw this.error(node, 'wrong_type', `${operator}wants a condition, ${typed.text} is ${TYPE_WORDS[typed.type]}.`, `Compare it, for example ${typed.text.slice(0, 40)} > 0.`);
    return typed.ref;
  }

  #expectNumber(node: { start: number; end: number }, typed: Typed, operator: string): void {
    if (typed.type === 'condition') throw this.error(node, 'wrong_type', `${operator}wants numbers, ${typed.text} is a condition.`, 'Join conditions with && and ||.');
  }

  #refused(node: { start: number; end: number }, what: string): LanguageError {
    return this.error(node, 'not_allowed', `${what} is not part of the language.`, 'An expression has series, numbers, functions, + - * / %, comparisons, && || ! and ? :.');
  }
}

function unique(readings: readonly Reading[]): readonly Reading[] {
  return [...new Map(readings.map((reading) => [reading.expression, reading])).values()];
}
