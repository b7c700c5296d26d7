import { intervalMs, paramValues, type ExplainedCondition, type Explanation, type Interval, type Missing, type TraderDocument } from '@trademind/core';
import type { Clause } from '../language/clauses.ts';
import type { CompiledTrader } from '../language/compile-trader.ts';
import { LIMITS } from '../language/limits.ts';
import { TooLarge } from '../language/memo.ts';
import { parseExpression } from '../language/parse.ts';
import { sayAbout, sayNumber } from '../language/say-number.ts';
import { speak } from '../language/spoken.ts';
import { holds, sayClause, type Read } from './say-clause.ts';

/** The sign before a condition: it holds, it does not, it waits or has no answer. */
export const markOf = ({ ready, holds: held }: Pick<ExplainedCondition, 'ready' | 'holds'>): '✓' | '✗' | '…' => (!ready || held === null ? '…' : held ? '✓' : '✗');

const plural = (n: number, one: string): string => `${n.toLocaleString('en-US')} ${one}${n === 1 ? '' : 's'}`;
const candlesOf = (n: number, interval: string): string => plural(n, `${interval} candle`);
const UNLESS = 'unless history is fetched';

/** How a condition stands, in words and numbers. */
export function conditionSentence(condition: Omit<ExplainedCondition, 'sentence'>, { document }: CompiledTrader, clause: Clause | undefined, read: Read): string {
  if (!condition.ready) return `waits for ${sayMissing(condition.missing, document)}.`;
  // Where the parts and the whole do not say the same, the whole is right; and some are too large to be taken apart.
  if (clause !== undefined && (holds(clause, read) ?? null) === condition.holds) return `${sayClause(clause, read)}.`;
  const numbers = condition.values.map(({ expression, value }) => `${expression} ${value === null ? 'has no value' : `is ${sayNumber(value)}`}`).join(', ');
  return `${condition.expression} ${condition.holds === null ? 'has no answer' : condition.holds ? 'holds' : 'does not hold'}${numbers === '' ? '' : ` (${numbers})`}.`;
}

/** Those that wait for as many candles are said together. */
function sayMissing(missing: readonly Missing[], { params, let: lets }: TraderDocument): string {
  const names = { params: paramValues(params), lets };
  const waits = new Map<string, { one: Missing; said: string[] }>();
  for (const one of missing) {
    const key = `${one.interval} ${one.has} ${one.needs}`;
    const said = sayBriefly(one.expression, names);
    const known = waits.get(key);
    if (known === undefined) waits.set(key, { one, said: [said] });
    else known.said.push(said);
  }
  return [...waits.values()].map(({ one, said }) => `${said.join(' and ')}: ${waitText(one)}`).join('; for ');
}

/** In words, where they are not longer than anybody reads. */
function sayBriefly(expression: string, names: Parameters<typeof speak>[1]): string {
  if (expression.length > LIMITS.sourceLength) return expression;
  try {
    return speak(parseExpression({ text: expression, field: 'where' }), names);
  } catch (error) {
    if (error instanceof TooLarge) return expression;
    throw error;
  }
}

function waitText({ interval, has, needs }: Missing): string {
  return `it has seen ${has.toLocaleString('en-US')} of ${needs.toLocaleString('en-US')} candles and needs ${candlesOf(needs - has, `more ${interval}`)}, ${sayAbout((needs - has) * intervalMs(interval))} ${UNLESS}`;
}

/** Adds the words to what is known. */
export function sayExplanation(told: Omit<Explanation, 'headline' | 'sentence'>, when: TraderDocument['when']): Explanation {
  const headline = headlineOf(told, when);
  const candle = told.candle === null ? [] : [`The candle closed ${new Date(told.candle.closeTime).toISOString().slice(0, 16).replace('T', ' ')} UTC at ${sayNumber(told.candle.close, 'price', 10)}.`];
  const lines = told.conditions.length === 0 ? [] : [...candle, ...told.conditions.map((condition) => `  ${markOf(condition)} ${condition.name}: ${condition.sentence}`)];
  return { ...told, headline, sentence: [headline, ...lines].join('\n') };
}

function headlineOf({ traderName, symbol, interval, verdict, conditions, seen, needs }: Omit<Explanation, 'headline' | 'sentence'>, when: TraderDocument['when']): string {
  const on = `${symbol} on ${interval} candles`;
  switch (verdict) {
    case 'not in the universe': return `${traderName} does not screen ${symbol}.`;
    case 'no candles': return `${traderName} cannot say anything about ${on} yet: none has closed.`;
    case 'matching': return `${traderName} matches ${on}: ${countOf(conditions)}${when === 'all' ? '' : rule(when, conditions.length)}.`;
    case 'not matching': return `${traderName} does not match ${on}: ${countOf(conditions)}${rule(when, conditions.length)}.`;
    case 'not ready': return `${traderName} is not ready for ${on}: ${waitOf(conditions, interval, seen, needs)}.`;
  }
}

function countOf(conditions: readonly ExplainedCondition[]): string {
  const held = conditions.filter(({ holds: held }) => held === true).length;
  const all = conditions.length;
  if (all === 1) return `its condition ${held === 1 ? 'holds' : 'does not hold'}`;
  if (held === all) return `${all === 2 ? 'both' : `all ${all}`} conditions hold`;
  return held === 0 ? `none of its ${all} conditions holds` : `${held} of ${all} conditions ${held === 1 ? 'holds' : 'hold'}`;
}

/** What must hold, where that is not plain. */
function rule(when: TraderDocument['when'], conditions: number): string {
  if (conditions === 1) return '';
  if (typeof when === 'object') return `, at least ${when.atLeast} must`;
  return when === 'all' ? '; all must' : when === 'any' ? ', one is enough' : `, wanted is ${when.replaceAll('&&', 'and').replaceAll('||', 'or').replaceAll(/!\s*/g, 'not ')}`;
}

function waitOf(conditions: readonly ExplainedCondition[], interval: Interval, seen: number, needs: number): string {
  if (seen >= needs) return 'a number that it needs has no value now';
  const more = conditions.flatMap(({ missing }) => missing).filter(({ elsewhere }) => elsewhere).map((one) => ({ ...one, ms: (one.needs - one.has) * intervalMs(one.interval) })).sort((a, b) => b.ms - a.ms)[0];
  const own = (needs - seen) * intervalMs(interval);
  if (more === undefined) return `it has seen ${seen.toLocaleString('en-US')} of the ${candlesOf(needs, interval)} that it needs; ${(needs - seen).toLocaleString('en-US')} more take ${sayAbout(own)} ${UNLESS}`;
  return `it needs ${candlesOf(more.needs - more.has, `more ${more.interval}`)} of what it looks at elsewhere, and then ${candlesOf(needs, interval)} of its own: ${sayAbout(more.ms + own)} ${UNLESS}`;
}
