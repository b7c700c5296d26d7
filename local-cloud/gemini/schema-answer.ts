import { createHash } from 'node:crypto';
import { nameOf, type Facts } from './facts.ts';
import { invalidArgument } from './errors.ts';
import { isObject } from './request.ts';
import type { View } from './view.ts';

/** From what an answer is made: nothing else, so equal prompts get equal answers. */
export interface Ground { facts: Facts; view: View; seed: string }

type Schema = Record<string, unknown>;
const DEEPEST = 12;

/**
 * A value that fits the schema (Gemini's or JSON Schema's keywords: type, enum, const, properties, required, items, anyOf, nullable,
 * minimum, maximum, minItems, maxItems, minLength, maxLength, format, $ref into $defs). Where a field bears the name of a fact its
 * value is that fact; verdicts follow the view; the rest is drawn from the prompt's hash.
 */
export function answerSchema(schema: Schema, ground: Ground): unknown {
  return fill(schema, '', { ...ground, root: schema, depth: 0 });
}

interface Filling extends Ground { root: Schema; depth: number }

function fill(schema: Schema, path: string, at: Filling): unknown {
  if (at.depth > DEEPEST) throw invalidArgument(`* GenerateContentRequest.generation_config.response_schema: nested deeper than ${DEEPEST} levels at ${path}\n`, 'generation_config.response_schema');
  const inner = { ...at, depth: at.depth + 1 };
  if (typeof schema['$ref'] === 'string') return fill(resolve(schema['$ref'], at.root), path, inner);
  if ('const' in schema) return schema['const'];
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const options = schema[key];
    if (Array.isArray(options) && options.length > 0) {
      const merged = key === 'allOf' ? Object.assign({}, ...(options as Schema[])) as Schema : (options as Schema[]).find((option) => typeOf(option) !== 'null') ?? {};
      return fill(merged, path, inner);
    }
  }
  if (Array.isArray(schema['enum']) && schema['enum'].length > 0) return choose(schema['enum'], path, at);
  switch (typeOf(schema)) {
    case 'object': return fillObject(schema, path, inner);
    case 'array': return fillArray(schema, path, inner);
    case 'integer': return Math.round(fillNumber(schema, path, at, true));
    case 'number': return fillNumber(schema, path, at, false);
    case 'boolean': return draw(at.seed, path) < (at.view.score + 1) / 2;
    case 'null': return null;
    default: return fillText(schema, path, at);
  }
}

/** Gemini writes OBJECT, JSON Schema object, or a list of types of which one may be null. */
function typeOf(schema: Schema): string {
  const type = Array.isArray(schema['type']) ? (schema['type'] as unknown[]).find((name) => name !== 'null') : schema['type'];
  if (typeof type === 'string') return type.toLowerCase();
  return isObject(schema['properties']) ? 'object' : schema['items'] === undefined ? 'string' : 'array';
}

function resolve(reference: string, root: Schema): Schema {
  let found: unknown = root;
  for (const step of reference.replace(/^#\/?/, '').split('/').filter((name) => name !== '')) found = isObject(found) ? found[step] : undefined;
  if (!isObject(found)) throw invalidArgument(`* GenerateContentRequest.generation_config.response_schema: ${reference} leads nowhere\n`, 'generation_config.response_schema');
  return found;
}

function fillObject(schema: Schema, path: string, at: Filling): unknown {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const ordering = Array.isArray(schema['propertyOrdering']) ? (schema['propertyOrdering'] as string[]) : [];
  const names = [...new Set([...ordering.filter((name) => name in properties), ...Object.keys(properties)])];
  return Object.fromEntries(names.map((name) => [name, fill((properties[name] ?? {}) as Schema, `${path}.${name}`, at)]));
}

function fillArray(schema: Schema, path: string, at: Filling): unknown {
  const least = limit(schema['minItems']) ?? 0;
  const most = limit(schema['maxItems']) ?? Math.max(least, 3);
  const items = isObject(schema['items']) ? schema['items'] : {};
  const known = at.facts.lists.get(nameOf(lastName(path)));
  const numeric = ['number', 'integer'].includes(typeOf(items));
  const count = Math.min(most, Math.max(least, numeric && known ? known.length : Math.min(2, most)));
  return Array.from({ length: count }, (_, i) => {
    const value = numeric ? known?.[i] : undefined;
    return value === undefined ? fill(items, `${path}[${i}]`, at) : bounded(value, items, typeOf(items) === 'integer');
  });
}

function fillNumber(schema: Schema, path: string, at: Filling, whole: boolean): number {
  const name = nameOf(lastName(path));
  const fact = at.facts.numbers.get(name);
  if (fact !== undefined) return bounded(fact, schema, whole);
  if (/confidence|score|probability|conviction|strength/.test(name)) {
    const share = Math.min(1, 0.35 + 0.6 * Math.abs(at.view.score));
    const [low, high] = [limit(schema['minimum']) ?? 0, limit(schema['maximum']) ?? 100];
    return bounded(low + share * (high - low), schema, whole);
  }
  const anchor = at.facts.numbers.get('price') ?? at.facts.numbers.get('close') ?? at.facts.numbers.get('entry');
  const [low, high] = [limit(schema['minimum']), limit(schema['maximum'])];
  if (low !== undefined && high !== undefined) return bounded(low + draw(at.seed, path) * (high - low), schema, whole);
  // A level near the price is the likeliest meaning of an unbounded number in a prompt about a market.
  return bounded(anchor === undefined ? 1 + 9 * draw(at.seed, path) : anchor * (0.98 + 0.04 * draw(at.seed, path)), schema, whole);
}

function bounded(value: number, schema: Schema, whole: boolean): number {
  const [low, high] = [limit(schema['minimum']) ?? -Infinity, limit(schema['maximum']) ?? Infinity];
  const rounded = whole ? Math.round(value) : Number(value.toPrecision(8));
  return Math.min(whole ? Math.floor(high) : high, Math.max(whole ? Math.ceil(low) : low, rounded));
}

/** Verdicts, directions and levels follow the view; other choices a fact of that name, or the prompt's hash. */
function choose(options: readonly unknown[], path: string, at: Filling): unknown {
  const pick = (pattern: RegExp) => options.find((option) => typeof option === 'string' && pattern.test(option));
  const said = at.facts.texts.get(nameOf(lastName(path)));
  const same = options.find((option) => typeof option === 'string' && option.toLowerCase() === said?.toLowerCase());
  const { score, side, trend } = at.view;
  const verdict = score >= 0.25 ? /^(enter|enter_trade|buy|yes|approve|go)/i : score <= -0.15 ? /bad|reject|avoid|veto|skip|^no$/i : /wait|hold|neutral/i;
  return same
    ?? (pick(/wait|hold|bad_setup|reject|veto/i) === undefined ? undefined : pick(verdict))
    ?? pick(new RegExp(`^${side}$`, 'i'))
    ?? pick(new RegExp(trend === 'bullish' ? 'bull|^up' : trend === 'bearish' ? 'bear|^down' : 'neutral|side|rang', 'i'))
    ?? pick(Math.abs(score) > 0.5 ? /strong|high/i : Math.abs(score) > 0.2 ? /moderate|medium/i : /weak|low/i)
    ?? options[Math.floor(draw(at.seed, path) * options.length)];
}

function fillText(schema: Schema, path: string, at: Filling): string {
  const name = nameOf(lastName(path));
  const said = at.facts.texts.get(name);
  const { reasons, side, trend, score } = at.view;
  let text = said ?? `${titled(lastName(path))}: ${reasons[Math.floor(draw(at.seed, path) * Math.max(1, reasons.length))] ?? `the ${side} side, trend ${trend}`}.`;
  if (/reason|summary|rationale|analysis|explanation/.test(name)) {
    text = `${reasons.length > 0 ? `${reasons.join('; ')}.` : 'The prompt names no number that decides.'} The ${side} side is ${score >= 0.25 ? 'supported' : score <= -0.15 ? 'not supported' : 'undecided'}.`;
  }
  if (schema['format'] === 'date-time') text = new Date(Math.floor(draw(at.seed, path) * 1e9) * 1000).toISOString();
  const most = limit(schema['maxLength']);
  return text.slice(0, most).padEnd(limit(schema['minLength']) ?? 0, '.');
}

const lastName = (path: string) => /([^.[\]]+)(?:\[\d+\])*$/.exec(path)?.[1] ?? 'answer';
const titled = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])|_/g, ' ').replace(/^./, (letter) => letter.toUpperCase());
/** Gemini writes counts as numbers or, being int64, as texts. */
const limit = (value: unknown) => (value === undefined || value === null || !Number.isFinite(Number(value)) ? undefined : Number(value));

/** A number in [0, 1) that belongs to the prompt and the field. */
export function draw(seed: string, path: string): number {
  return createHash('sha256').update(`${seed}${path}`).digest().readUInt32BE(0) / 0x1_0000_0000;
}
