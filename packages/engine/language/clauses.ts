import { paramValues } from '@trademind/core';
import type { Expression } from 'acorn';
import type { Ref } from '../graph/dag.ts';
import { compileExpression } from './compile-expression.ts';
import type { CompiledTrader } from './compile-trader.ts';
import { Frames, prune } from './frames.ts';
import { LanguageError } from './language-error.ts';
import { memo, TooLarge } from './memo.ts';
import { parseExpression } from './parse.ts';
import { bare, callOf, constantOf, isComparison, isCondition, isConstant, letOf, type Names } from './reading.ts';
import { scopeOf } from './scope.ts';
import { ago, HERE, ofSymbol, onInterval, speak, type Place } from './spoken.ts';
import { unitOf, type Unit } from './units.ts';

/** A number that a condition compares: in words, where its value stands, and whether that is always the same. */
export interface ClauseSide {
  readonly said: string;
  readonly ref: Ref;
  readonly unit: Unit | undefined;
  readonly constant: boolean;
  /** What its value waits for, where that may come late or never. */
  readonly awaits: string | undefined;
  /** Whether it is read from other candles than those being screened. */
  readonly elsewhere: boolean;
}

/** What a leaf says is asked of its candle, or, negated, must not be. `ref`: whether it holds, before the negation. */
interface Leaf { readonly ref: Ref; readonly negated: boolean }
/** Over the last n candles. `measure`: of `within` how many candles ago it last was, of `held` on how many of them it was. */
interface Over extends Leaf { readonly said: string; readonly n: number; readonly measure: Ref }
/** A condition taken apart as a reader would. */
export type Clause =
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Clause[] }
  | Leaf & { readonly kind: 'compare'; readonly operator: string; readonly left: ClauseSide; readonly right: ClauseSide }
  | Leaf & { readonly kind: 'cross'; readonly up: boolean; readonly left: ClauseSide; readonly right: ClauseSide }
  | Leaf & { readonly kind: 'run'; readonly up: boolean; readonly candles: string; readonly side: ClauseSide }
  | Over & { readonly kind: 'within' }
  | Over & { readonly kind: 'held' }
  | Leaf & { readonly kind: 'event'; readonly said: string; readonly pattern: boolean };

/** The conditions of a trader taken apart, compiled beside it: a graph of its own frames in which every part has a node. Equal nodes are one with the trader's where they run together. */
export interface CompiledClauses {
  /** To be run beside the trader; its verdict means nothing. */
  readonly compiled: CompiledTrader;
  /** Per condition of the trader; undefined where it is too large to be taken apart. */
  readonly clauses: readonly (Clause | undefined)[];
}

const NEGATED: Readonly<Record<string, string>> = { '>': '<=', '>=': '<', '<': '>=', '<=': '>', '==': '!=', '===': '!=', '!=': '==', '!==': '==' };

/** Takes the conditions of a trader apart. */
export function clausesOf(trader: CompiledTrader): CompiledClauses {
  const { document, interval } = trader;
  const drafts = new Frames(interval);
  const reader = new Reader({ params: paramValues(document.params), lets: document.let }, drafts);
  const drafted = trader.conditions.map(({ expression }) => {
    try {
      return reader.begin().clause(parseExpression({ text: expression, field: 'where' }), { text: expression, wrap: (text) => text, place: HERE, negated: false, elsewhere: false });
    } catch (error) {
      // A part beyond the language's limits, as one is that stands just within them and has to be wrapped; or more parts than anybody reads.
      if (error instanceof LanguageError || error instanceof TooLarge) return undefined;
      throw error;
    }
  });
  const roots = drafted.flatMap((clause) => (clause === undefined ? [] : refsOf(clause)));
  const { frames, refs } = prune(drafts, roots.length > 0 ? roots : [drafts.own.dag.column('close')]);
  const { dag } = frames.at(-1)!;
  return {
    compiled: { ...trader, frames, dag, conditions: [], when: roots.length > 0 ? refs[roots[0]!]! : dag.column('close'), first: 0, settle: 0, warnings: [] },
    clauses: drafted.map((clause) => clause && mapRefs(clause, (ref) => refs[ref]!)),
  };
}

/** Where a part stands: the text that its node belongs to, what has to stand around it to be compiled in the trader's own frame, and how that is said. */
interface Context { readonly text: string; readonly wrap: (text: string) => string; readonly place: Place; readonly negated: boolean; readonly elsewhere: boolean }

/** Parts of one condition that are told one by one; `let` names that use each other twice would double them with each step. */
const MOST_PARTS = 300;

class Reader {
  readonly #names: Names;
  readonly #frames: Frames;
  readonly #scope: ReturnType<typeof scopeOf>;
  #parts = 0;

  constructor(names: Names, frames: Frames) {
    this.#names = names;
    this.#frames = frames;
    this.#scope = scopeOf(names.params, names.lets, frames, []);
  }

  /** For another condition: it may have as many parts again. */
  begin(): this {
    this.#parts = 0;
    return this;
  }

  clause(node: Expression, at: Context): Clause {
    this.#parts += 1;
    if (this.#parts > MOST_PARTS) throw new TooLarge();
    const names = this.#names;
    const inner = bare(node);
    switch (inner.type) {
      case 'UnaryExpression': return this.clause(inner.argument, { ...at, negated: !at.negated });
      case 'LogicalExpression': {
        const kind = (inner.operator === '&&') === at.negated ? 'any' : 'all';
        // a && b && c is one list.
        const parts = [inner.left, inner.right].map((side) => this.clause(side, at)).flatMap((part) => (part.kind === kind ? part.parts : [part]));
        return { kind, parts };
      }
      case 'BinaryExpression': if (isComparison(inner.operator) && inner.left.type !== 'PrivateIdentifier') {
        const operator = at.negated ? NEGATED[inner.operator]! : inner.operator;
        return { kind: 'compare', ...this.#leaf(inner, at), operator, left: this.#side(inner.left, at), right: this.#side(inner.right, at) };
      } break;
      case 'Identifier': {
        const meant = letOf(inner.name, names);
        if (meant !== undefined) return this.clause(meant, { ...at, text: names.lets[inner.name]! });
        break;
      }
      case 'MemberExpression': if (inner.computed && inner.object.type !== 'Super' && isCondition(inner.object, names)) {
        const n = constantOf(inner.property as Expression, names);
        return this.clause(inner.object, { ...at, place: ago(at.place, n), wrap: (text) => at.wrap(`(${text})[${n}]`) });
      } break;
      default: break;
    }
    return this.#call(inner, at);
  }

  #call(node: Expression, at: Context): Clause {
    const call = callOf(node);
    const leaf = this.#leaf(node, at);
    const said = (one: Expression): string => speak(one, this.#names, at.place);
    if (call === undefined) return { kind: 'event', ...leaf, said: said(node), pattern: false };
    const { definition: { name, arguments: wanted }, args } = call;
    const [x, y] = args;
    switch (name) {
      case 'on': case 'of': {
        const where = String((x as { value?: unknown }).value);
        const place = name === 'on' ? onInterval(at.place, where) : ofSymbol(at.place, where);
        return this.clause(y!, { ...at, place, elsewhere: true, wrap: (text) => at.wrap(`${name}("${where}", ${text})`) });
      }
      case 'crossover': case 'crossunder': return { kind: 'cross', ...leaf, up: name === 'crossover', left: this.#side(x!, at), right: this.#side(y!, at) };
      case 'rising': case 'falling': return { kind: 'run', ...leaf, up: name === 'rising', candles: `${constantOf(y!, this.#names)} ${at.place.interval}candles`, side: this.#side(x!, at) };
      case 'within': case 'held': {
        const measure = name === 'within' ? `barsSince(${this.#textOf(x!, at)})` : `count(${this.#textOf(x!, at)}, ${constantOf(y!, this.#names)})`;
        return { kind: name, ...leaf, said: said(x!), n: constantOf(y!, this.#names), measure: this.#compile(at.wrap(measure)) };
      }
      default: return { kind: 'event', ...leaf, said: said(node), pattern: wanted.length === 0 || name.endsWith('Divergence') };
    }
  }

  #leaf(node: Expression, at: Context): Leaf {
    return { ref: this.#compile(at.wrap(this.#textOf(node, at))), negated: at.negated };
  }

  #side(node: Expression, at: Context): ClauseSide {
    const names = this.#names;
    const constant = isConstant(node, names);
    const text = this.#textOf(node, at);
    return {
      said: speak(bare(node), names, at.place), constant, unit: unitOf(node, names), awaits: awaitsOf(node, names), elsewhere: at.elsewhere,
      ref: this.#compile(constant ? text : at.wrap(text)),
    };
  }

  #textOf({ start, end }: Expression, { text }: Context): string {
    return text.slice(start, end);
  }

  #compile(text: string): Ref {
    return compileExpression({ text, field: 'where' }, this.#scope, this.#frames.own, this.#frames, []).ref;
  }
}

/** What the first function in an expression waits for that waits for anything. */
const awaitsOf = memo(readAwaited);

function readAwaited(node: Expression, names: Names): string | undefined {
  const inner = bare(node);
  if (inner.type === 'Identifier') {
    const meant = letOf(inner.name, names);
    return meant === undefined ? undefined : awaitsOf(meant, names);
  }
  const call = callOf(inner);
  if (call !== undefined) return call.definition.awaits ?? call.args.map((arg) => awaitsOf(arg, names)).find((found) => found !== undefined);
  if (inner.type === 'BinaryExpression' && inner.left.type !== 'PrivateIdentifier') return awaitsOf(inner.left, names) ?? awaitsOf(inner.right, names);
  if (inner.type === 'UnaryExpression') return awaitsOf(inner.argument, names);
  return inner.type === 'MemberExpression' && inner.computed && inner.object.type !== 'Super' ? awaitsOf(inner.object, names) : undefined;
}

function refsOf(clause: Clause): Ref[] {
  const refs: Ref[] = [];
  mapRefs(clause, (ref) => (refs.push(ref), ref));
  return refs;
}

function mapRefs(clause: Clause, to: (ref: Ref) => Ref): Clause {
  const side = (one: ClauseSide): ClauseSide => ({ ...one, ref: to(one.ref) });
  switch (clause.kind) {
    case 'all': case 'any': return { ...clause, parts: clause.parts.map((part) => mapRefs(part, to)) };
    case 'compare': case 'cross': return { ...clause, ref: to(clause.ref), left: side(clause.left), right: side(clause.right) };
    case 'run': return { ...clause, ref: to(clause.ref), side: side(clause.side) };
    case 'within': case 'held': return { ...clause, ref: to(clause.ref), measure: to(clause.measure) };
    case 'event': return { ...clause, ref: to(clause.ref) };
  }
}
