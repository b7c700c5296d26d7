import type { AnalysisOutcome, ConditionReading, MachineStatus, Signal } from '@trademind/core';
import { count, number, utc, utcClock } from '../output/format.ts';
import type { Colors } from '../output/terminal.ts';

/** Names of steps stand in a column: `control-plane` is the longest. */
const NAME_WIDTH = 13;

/** A step that is done: when, what, and in a few words how it stands. */
export function stepText(c: Colors, elapsed: string, name: string, detail: string): string {
  return `${c.dim(elapsed)}  ${c.green('✔')} ${name.padEnd(NAME_WIDTH)} ${detail}`;
}

export function doingText(c: Colors, frame: string, elapsed: string, name: string, detail: string): string {
  return `${c.dim(elapsed)}  ${c.cyan(frame)} ${name.padEnd(NAME_WIDTH)} ${c.dim(detail)}`;
}

/** `n of m symbols`, as the machine counts its backfill; series when traders use several intervals. */
export function backfillText({ market }: Pick<MachineStatus, 'market'>): string {
  const { done, total } = market.backfilled;
  if (total === 0) return 'asks which symbols there are';
  return total === market.symbols ? `${done} of ${count(total, 'symbol')}` : `${done} of ${total} series (${count(market.symbols, 'symbol')})`;
}

const sideText = (c: Colors, side: Signal['side']) => (side === 'long' ? c.green(side) : c.red(side));

/** One signal on one line. */
export function signalLine(c: Colors, signal: Signal): string {
  return `${c.yellow('★')} ${utc(signal.closeTime)} UTC  ${c.bold(signal.symbol.padEnd(10))} ${sideText(c, signal.side)}${' '.repeat(5 - signal.side.length)} ${number(signal.price).padStart(11)}  ${signal.traderName}`;
}

/** What the analysis says of a signal, in a line. */
export function decisionLine(c: Colors, { symbol, closeTime, decision: { decision, confidence, reasoning }, actionable }: Extract<AnalysisOutcome, { kind: 'decision' }>): string {
  const verdict = decision === 'enter_trade' ? c.green('enter trade') : decision === 'wait' ? c.yellow('wait') : c.red('bad setup');
  return `${actionable ? c.green('✔') : c.dim('·')} ${utc(closeTime)} UTC  ${c.bold(symbol.padEnd(10))} ${verdict} (${Math.round(confidence)} % sure)  ${c.dim(reasoning)}`;
}

/** A signal in full: what a person needs to check it by hand. */
export function signalBlock(c: Colors, signal: Signal): string[] {
  const row = (name: string, value: string) => `         ${c.dim(name.padEnd(10))} ${value}`;
  return [
    row('trader', `${c.bold(signal.traderName)} (version ${signal.traderVersion}, ${signal.interval} candles)`),
    row('symbol', c.bold(signal.symbol)),
    row('side', sideText(c, signal.side)),
    row('price', number(signal.price)),
    row('candle', `closed ${utc(signal.closeTime, true)} UTC (market time)`),
    ...signal.conditions.map((condition, index) => row(index === 0 ? 'conditions' : '', conditionText(c, condition))),
  ];
}

/** A condition with the numbers it compared: `✔ oversold  rsi(14) < 30   rsi(14) = 28.4`. */
export function conditionText(c: Colors, condition: ConditionReading): string {
  const mark = condition.holds === true ? c.green('✔') : condition.holds === false ? c.dim('✘') : c.dim('·');
  const values = condition.values.map(({ expression, value }) => `${expression} = ${number(value)}`).join(', ');
  return `${mark} ${condition.name}: ${condition.expression}${values ? c.dim(`   ${values}`) : ''}`;
}

const NEWEST = 3;

/** What backfill found in the last 24 h: how many for each trader, and the newest few of those that were not told before. */
export function historyBlock(c: Colors, fresh: readonly Signal[], traders: readonly { name: string; signals: { history: number } }[]): string[] {
  const line = (text: string) => `         ${c.dim(text)}`;
  const total = traders.reduce((sum, { signals }) => sum + signals.history, 0);
  const newest = fresh.toSorted((a, b) => b.closeTime - a.closeTime || a.id.localeCompare(b.id)).slice(0, NEWEST);
  return [
    line(`history of the last 24 h: ${count(total, 'match', 'matches')}${total > 0 && fresh.length === 0 ? ', all found before' : ''}`),
    ...(total > 0 ? [line(traders.map(({ name, signals }) => `${name} ${signals.history}`).join(' · '))] : []),
    ...newest.map((signal) => line(`${utc(signal.closeTime)} UTC  ${signal.symbol.padEnd(10)} ${signal.side.padEnd(5)} ${number(signal.price).padStart(11)}  ${signal.traderName}`)),
    ...(fresh.length > newest.length ? [line('… and earlier ones: npx trademind signals')] : []),
  ];
}

/** The quiet line: market time, speed, how much is watched and found, memory of the machine. */
export function liveText(c: Colors, status: MachineStatus, marketTime: number, signals: number): string {
  const { market, process: { rssMb } } = status;
  const parts = [
    `${utcClock(marketTime)} UTC`,
    `×${market.rate}`,
    count(market.symbols - market.halted.length, 'symbol'),
    count(market.candles, 'candle'),
    count(signals, 'signal'),
    `${Math.round(rssMb)} MB`,
    ...(market.connected ? [] : [c.yellow('market not connected')]),
    ...(market.halted.length > 0 ? [c.yellow(`${market.halted.join(', ')} halted: its candles have ended`)] : []),
    ...status.problems.slice(0, 1).map(({ message }) => c.yellow(message)),
  ];
  return `${c.green('●')} ${parts.join(c.dim(' · '))}`;
}

const TRY: readonly (readonly [command: string, what: string])[] = [
  ['monitor', 'the machine, live in this terminal'],
  ['status', 'how it stands'],
  ['signals', 'what it has found'],
  ['traders list', 'what it looks for'],
  ['open', 'a fresh link to the page'],
];

/** Where to look, and what to try. `dataOption` stands behind every command. */
export function whereToLook(c: Colors, places: { page: string; docs: string; dataOption: string }): string[] {
  const row = (name: string, value: string) => `  ${c.dim(name.padEnd(6))} ${value}`;
  const commands = TRY.map(([command, what]) => [`npx trademind ${command}${places.dataOption}`, what] as const);
  const width = Math.max(...commands.map(([command]) => command.length));
  return [
    '',
    row('Page', c.cyan(places.page)),
    row('API', c.cyan(places.docs)),
    ...commands.map(([command, what], index) => row(index === 0 ? 'Try' : '', `${command.padEnd(width)}   ${c.dim(what)}`)),
    '',
    `  ${c.dim('Ctrl-C stops everything and keeps the data.')}`,
    '',
  ];
}
