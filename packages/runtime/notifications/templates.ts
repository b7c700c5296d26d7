import type { NotificationEvent } from '@trademind/core';

export type Tone = 'good' | 'warn' | 'bad' | 'plain';
/** A message before it has any channel's form: plain text throughout, whatever traders and symbols are called. */
export interface Message { readonly title: string; readonly lines: readonly string[]; /** All of it in one line, for a digest. */ readonly short: string; readonly tone: Tone; readonly at: number }

/** An event in words. Pure. */
export function messageOf(event: NotificationEvent): Message {
  const { at } = event;
  switch (event.kind) {
    case 'signal': {
      const { symbol, side, interval, price, traderName, closeTime, conditions } = event.signal;
      return {
        at, tone: 'good', title: `${SIDES[side]} ${symbol} at ${number(price)}`, short: `${SIDES[side]} ${symbol} at ${number(price)} · ${traderName} · ${interval}`,
        lines: [`${traderName} · ${interval} candle closed ${utc(closeTime)}`, ...conditions.filter(({ holds }) => holds === true).slice(0, 6).map(({ name, values }) => `✓ ${name}${values.length > 0 ? `: ${values.slice(0, 3).map(({ expression, value }) => `${expression} = ${value === null ? 'not ready' : number(value)}`).join(', ')}` : ''}`)],
      };
    }
    case 'decision': {
      const { symbol, side, interval, traderName, decision, confidence, reasoning, levels } = event;
      const title = `${VERDICTS[decision]}: ${side} ${symbol} (${Math.round(confidence)} % sure)`;
      return {
        at, tone: decision === 'enter_trade' ? 'good' : 'plain', title, short: `${title} · ${traderName} · ${interval}`,
        lines: [`${traderName} · ${interval}`, ...(levels ? [`Entry ${number(levels.entry)} · stop ${number(levels.stopLoss)} · targets ${levels.takeProfit.map(number).join(', ')}`] : []), cut(reasoning, 800)],
      };
    }
    case 'position': {
      const { symbol, side, traderName, event: what, price, quantity, profit, paper, sentence } = event;
      const title = `${POSITIONS[what]}: ${side} ${symbol}${paper ? ' (paper)' : ''}`;
      const lost = profit?.startsWith('-') === true;
      return {
        at, tone: what === 'rejected' ? 'bad' : profit === undefined ? 'plain' : lost ? 'warn' : 'good', title, short: `${title} at ${price}${profit === undefined ? '' : `, ${lost ? '' : '+'}${profit}`}`,
        lines: [`${traderName} · ${quantity} at ${price}`, ...(profit === undefined ? [] : [`${lost ? 'Loss' : 'Profit'} ${profit.replace('-', '')}`]), ...(sentence === undefined ? [] : [cut(sentence, 500)])],
      };
    }
    case 'trader': {
      const { traderName, state, sentence } = event;
      const title = `Trader ${traderName} is ${state}`;
      return { at, tone: state === 'running' ? 'good' : 'bad', title, short: `${title}: ${cut(sentence, 120)}`, lines: [cut(sentence, 800)] };
    }
    case 'health': {
      const { title: part, state, sentence, nextStep } = event;
      const title = `${part}: ${state}`;
      return { at, tone: state === 'healthy' ? 'good' : state === 'degraded' ? 'warn' : 'bad', title, short: `${title}. ${cut(sentence, 160)}`, lines: [sentence, ...(nextStep === undefined ? [] : [`→ ${nextStep}`])] };
    }
    case 'test': return { at, tone: 'good', title: 'Test message', short: 'Test message', lines: ['TradeMind can reach you here.'] };
  }
}

/** Many events in one message: a line for each. */
export function digestOf(messages: readonly Message[], at: number): Message {
  const title = `${messages.length} messages`;
  return { at, tone: worst(messages), title, short: title, lines: messages.map(({ short, at: then }) => `${utcTime(then)} ${cut(short, 180)}`) };
}

/** The message with a last line about those that never came. */
export function withMissed(message: Message, missed: number): Message {
  return missed === 0 ? message : { ...message, lines: [...message.lines, `(${missed} earlier ${missed === 1 ? 'message was' : 'messages were'} left out: too many, or too late.)`] };
}

const SIDES = { long: 'Long', short: 'Short' } as const;
const VERDICTS = { enter_trade: 'Enter', bad_setup: 'Bad setup', wait: 'Wait' } as const;
const POSITIONS = { opened: 'Opened', increased: 'Increased', reduced: 'Reduced', closed: 'Closed', stop: 'Stopped out', target: 'Target reached', rejected: 'Order rejected' } as const;
const TONES: readonly Tone[] = ['plain', 'good', 'warn', 'bad'];

const worst = (messages: readonly Message[]): Tone => messages.reduce<Tone>((tone, message) => (TONES.indexOf(message.tone) > TONES.indexOf(tone) ? message.tone : tone), 'plain');
const utc = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const utcTime = (ms: number): string => new Date(ms).toISOString().slice(11, 16);

/** Six digits that matter, never an exponent. */
export function number(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return value.toLocaleString('en-US', { maximumFractionDigits: Math.min(20, Math.max(2, 5 - Math.floor(Math.log10(size)))) });
}

/** Cuts between characters, never within one. */
export function cut(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
