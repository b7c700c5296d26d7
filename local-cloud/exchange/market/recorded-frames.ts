import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseUnits } from './candle.ts';
import { MINUTE } from './intervals.ts';
import { exchangeError } from './state.ts';

/** A trade as it was recorded, in 1e-8 units. */
export interface RecordedTrade { time: number; price: number; quantity: number; buyerMaker: boolean }

/** `…stream….gz`: a recording of stream frames, whatever stands around that word. */
export const FRAMES_NAME = /stream.*\.(?:gz|jsonl|txt|log)$/;

interface TradeEvent { e: unknown; s: unknown; p: unknown; q: unknown; T: unknown; m: unknown }

/**
 * Reads a file of stream frames as received: a frame a line, raw or combined, after a receive time or without one. Its trades make the
 * market (aggregated ones where a symbol has no single ones); other frames are passed over. Throws `frames_malformed` with file and line.
 */
export function readRecordedFrames(path: string): Map<string, RecordedTrade[]> {
  const file = basename(path);
  const refuse = (line: number, reason: string) => exchangeError('frames_malformed', `${file}, line ${line}: ${reason}`);
  const bytes = readFileSync(path);
  let text: string;
  try {
    text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  } catch (error) {
    throw refuse(0, `it cannot be unpacked (${(error as Error).message}).`);
  }
  const single = new Map<string, RecordedTrade[]>();
  const aggregated = new Map<string, RecordedTrade[]>();
  for (const [i, line] of text.split('\n').entries()) {
    // A parse of each depth frame would cost ten times the trades' own.
    if (!line.includes('"e":"trade"') && !line.includes('"e":"aggTrade"')) continue;
    const event = eventOf(line.slice(line.indexOf('{')));
    if (!event) throw refuse(i + 1, 'the frame is not whole JSON.');
    const [symbol, trade] = [event.s, tradeOf(event)];
    if (typeof symbol !== 'string' || !/^[A-Z0-9]{2,30}$/.test(symbol) || !trade) throw refuse(i + 1, 'a trade needs s, p, q, T and m as Binance writes them.');
    const onto = event.e === 'trade' ? single : aggregated;
    const trades = onto.get(symbol);
    if (trades) trades.push(trade);
    else onto.set(symbol, [trade]);
  }
  for (const [symbol, trades] of aggregated) if (!single.has(symbol)) single.set(symbol, trades);
  if (single.size === 0) throw refuse(1, 'there is no trade in it; record @trade or @aggTrade streams.');
  return single;
}

function eventOf(text: string): TradeEvent | null {
  try {
    const frame = JSON.parse(text) as { data?: TradeEvent } & TradeEvent;
    return frame.data ?? frame;
  } catch {
    return null;
  }
}

function tradeOf({ p, q, T, m }: TradeEvent): RecordedTrade | null {
  const [price, quantity] = [p, q].map((value) => (typeof value === 'string' ? Number(parseUnits(value) ?? -1n) : -1)) as [number, number];
  const fine = price > 0 && quantity > 0 && Number.isSafeInteger(price) && Number.isSafeInteger(quantity) && Number.isSafeInteger(T) && typeof m === 'boolean';
  return fine ? { time: T as number, price, quantity, buyerMaker: m } : null;
}

/** The minutes that the trades lie in, from the first to the last, each with its own; a minute without any is quiet. */
export function minutesOf(trades: readonly RecordedTrade[]): { openTime: number; trades: RecordedTrade[] }[] {
  const sorted = trades.toSorted((a, b) => a.time - b.time);
  const [from, to] = [sorted[0], sorted.at(-1)].map((trade) => Math.floor((trade as RecordedTrade).time / MINUTE) * MINUTE) as [number, number];
  const byMinute = Map.groupBy(sorted, ({ time }) => Math.floor(time / MINUTE) * MINUTE);
  return Array.from({ length: (to - from) / MINUTE + 1 }, (_, i) => ({ openTime: from + i * MINUTE, trades: byMinute.get(from + i * MINUTE) ?? [] }));
}
