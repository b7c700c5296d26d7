// `docs/language.md`, made from the tables that the compiler itself uses. `npm run docs` writes it; tests/docs holds that it is not stale and runs every example in it.
import { describeLanguage, evaluateExpression, LanguageError, type FunctionDescription, type LanguageDescription } from '@trademind/engine';
import { PROSE } from './language-prose.ts';

/** The whole page. */
export function languagePage(): string {
  const language = describeLanguage();
  return [
    '<!-- Made by `npm run docs` from the compiler\'s own tables and docs/language-prose.ts; a change here is lost. -->',
    PROSE.opening,
    PROSE.values,
    `## Series\n${PROSE.series}\n\n${table(['name', 'what it is'], language.series.map(({ name, summary }) => [code(name), summary]))}\n\n${example('hlc3 > sma(hlc3, 20) && hour >= 8 && dayOfWeek != 0')}`,
    `## Operators\n${PROSE.operators}\n\n${operators(language)}`,
    `## Three-valued logic\n${PROSE.threeValued}\n\n${truthTables()}\n\n${PROSE.threeValuedRest}\n\n${table(['expression, on the first candle', 'is'], notReady().map(([text, value]) => [code(text), value]))}`,
    PROSE.offsets,
    PROSE.readiness,
    `## Functions\n${PROSE.functions}\n\n${contents(language)}`,
    ...language.families.map((family) => `### ${family}\n${familyProse(family)}${language.functions.filter((one) => one.family === family).map(functionEntry).join('\n\n')}`),
    PROSE.names,
    PROSE.when,
    `## Limits\n${PROSE.limits}\n\n${table(['at most', 'of what'], language.limits.map(({ value, summary }) => [value.toLocaleString('en-US'), summary]))}`,
    `## Errors\n${PROSE.errors}\n\n${language.errors.map(errorEntry).join('\n\n')}`,
    PROSE.refused,
    PROSE.tools,
  ].map((part) => part.trim()).join('\n\n').concat('\n');
}

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;
const example = (...lines: string[]): string => `\`\`\`js\n${lines.join('\n')}\n\`\`\``;
const cell = (text: string): string => (text.startsWith('`') ? text : text.replaceAll('|', '\\|'));

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function operators({ operators }: LanguageDescription): string {
  return table(['binds', 'form', 'takes', 'gives', 'what it is', 'example'], operators.map(({ level, form, operands, gives, summary, example }) => [String(level), code(form), operands, gives, summary, code(example)]));
}

/** What the engine itself makes of the three values: T holds, F does not, U is not ready. */
function truthTables(): string {
  const names = { let: { yes: 'close > 0', no: 'close < 0', unknown: 'close[1] > 0' } };
  const values = ['yes', 'no', 'unknown'];
  const of = (text: string): string => word(evaluateExpression(text, [FIRST], names).values[0]!);
  const both = (operator: string): string => table([`\`a ${operator.replaceAll('|', '\\|')} b\``, ...values.map((b) => `b: ${of(b)}`)], values.map((a) => [`a: ${of(a)}`, ...values.map((b) => of(`${a} ${operator} ${b}`))]));
  return [both('&&'), both('||'), table(['a', '`!a`', '`a ? 1 : 2`'], values.map((a) => [of(a), of(`!${a}`), of(`${a} ? 1 : 2`)]))].join('\n\n');
}

const FIRST = { openTime: 0, open: 10, high: 11, low: 9, close: 10, volume: 0, quoteVolume: 0, trades: 0, takerBuy: 0 };
const word = (value: number | boolean | null): string => (value === null ? 'not ready' : value === true ? 'holds' : value === false ? 'does not hold' : Number.isFinite(value) ? String(value) : 'infinite');

/** Expressions that are not ready, or are although a part of them is not, as the engine answers on the first candle of a series. */
function notReady(): [text: string, value: string][] {
  return ['close[1]', 'close > close[1]', '!(close > close[1])', 'close < 0 && close > close[1]', 'close > 0 || close > close[1]', 'volume / volume', 'close / volume', 'sma(20) > 0', 'crossover(close, open)']
    .map((text) => [text, word(evaluateExpression(text, [FIRST]).values[0]!)]);
}

function contents({ families, functions }: LanguageDescription): string {
  return families.map((family) => `- **${family}**: ${functions.filter((one) => one.family === family).map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(' ')}`).join('\n');
}

function familyProse(family: string): string {
  const prose = (PROSE.families as Readonly<Record<string, string>>)[family];
  return prose === undefined ? '\n' : `${prose}\n\n`;
}

function functionEntry(one: FunctionDescription): string {
  const { name, signature, summary, outputs, returns, unit, seed, awaits, warmUp, cumulative, cost, source } = one;
  const facts = [
    ...(one.arguments.length > 0 ? [`Arguments: ${one.arguments.map(argumentText).join('; ')}.`] : []),
    ...(outputs.length > 0 ? [`Outputs: ${outputs.map((output) => `\`.${output}\``).join(' ')}.`] : []),
    `Gives: ${returns === 'same' ? 'what its expression is' : `a ${returns}`}${unit === returns ? '' : `; unit: ${unit}`}.`,
    ...(seed === 'none' ? [] : [`Seed: ${seed}.`]),
    ...(awaits === undefined ? [] : [`Waits for: ${awaits}.`]),
    ...(warmUp === undefined || (warmUp.first === 1 && warmUp.settle === 1) ? [] : [`Warm-up: \`${warmUp.expression}\` has its first value after ${warmUp.first} candle${warmUp.first === 1 ? '' : 's'}${awaits === undefined ? '' : ' at the earliest'}, has settled after ${warmUp.settle.toLocaleString('en-US')}.`]),
    ...(cumulative === undefined ? [] : ['A running total: compare its differences or slopes, not its level.']),
    ...(cost === undefined ? [] : [`Cost of a candle: ${cost}.`]),
    ...(source === 'definition' ? [] : [`Source: ${source}.`]),
  ];
  return `#### ${name}\n\`${signature}\`: ${summary}\n\n${facts.map((fact) => `- ${fact}`).join('\n')}\n\n${example(one.example)}`;
}

const TYPES: Readonly<Record<string, string>> = { series: 'a series', value: 'a series or a number', condition: 'a condition', length: 'whole number of candles', number: 'number', interval: 'interval in quotes', symbol: 'symbol in quotes', expression: 'a series or a condition' };

function argumentText({ name, type, default: given, min, max, rest }: FunctionDescription['arguments'][number]): string {
  const range = min === undefined && max === undefined ? '' : max === undefined ? ` of at least ${min}` : min === undefined ? ` of at most ${max}` : ` from ${min} to ${max.toLocaleString('en-US')}`;
  return `\`${name}\` ${TYPES[type] ?? type}${range}${given === undefined ? '' : `, ${given} if left out`}${rest ? ', may be repeated' : ''}`;
}

/** A code with what the engine says to its example. */
function errorEntry({ code, summary, example, let: lets = {} }: LanguageDescription['errors'][number]): string {
  const head = `**${code}**: ${summary}`;
  if (example === undefined) return head;
  try {
    evaluateExpression(example, [], { let: { ...lets } });
  } catch (error) {
    if (!(error instanceof LanguageError)) throw error;
    return `${head}\n\n\`\`\`text\n${error.frame}\n${error.message}${error.nextStep === undefined ? '' : `\n→ ${error.nextStep}`}\n\`\`\``;
  }
  throw new Error(`The example of ${code} is accepted: ${example}`);
}
