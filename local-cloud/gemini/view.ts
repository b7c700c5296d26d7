import { nameOf, type Facts } from './facts.ts';

/** What the numbers of a prompt say about a trade, and in which words. */
export interface View {
  side: 'long' | 'short';
  /** -1 (against the trade) to 1 (for it). */
  score: number;
  trend: 'bullish' | 'bearish' | 'neutral';
  /** One clause per number that counted. */
  reasons: string[];
}

/** Oversold and overbought, by the usual reading of the RSI. */
const LOW_RSI = 30;
const HIGH_RSI = 70;

/** Reads trend, momentum and volume from the facts by plain rules; a prompt without such numbers gets an undecided view. */
export function viewOf(facts: Facts): View {
  const number = (...names: string[]) => names.map((name) => find(facts.numbers, name)).find((value) => value !== undefined);
  const reasons: string[] = [];
  const side = [...facts.texts.values()].some((text) => /^(short|sell)$/i.test(text)) ? 'short' : 'long';

  const rsi = number('rsi');
  const price = number('price', 'close', 'last', 'lastprice');
  const slow = number('ema200', 'sma200', 'ema50', 'sma50', 'ema21', 'sma20', 'ema20', 'slow', 'ema', 'sma');
  const histogram = number('macdhistogram', 'histogram', 'macdhist', 'macd');
  const volume = number('volumeratio', 'relativevolume', 'rvol');

  let up = 0;
  let trend: View['trend'] = 'neutral';
  if (price !== undefined && slow !== undefined && slow > 0) {
    const distance = price / slow - 1;
    trend = distance > 0.001 ? 'bullish' : distance < -0.001 ? 'bearish' : 'neutral';
    up += Math.max(-0.4, Math.min(0.4, distance * 20));
    reasons.push(`price ${price} is ${(Math.abs(distance) * 100).toFixed(2)}% ${distance >= 0 ? 'above' : 'below'} its average ${slow}`);
  }
  const told = [...facts.texts.entries()].find(([name, text]) => name.includes('trend') && /bull|bear|up|down/i.test(text));
  if (told) {
    trend = /bull|up/i.test(told[1]) ? 'bullish' : 'bearish';
    up += trend === 'bullish' ? 0.3 : -0.3;
    reasons.push(`the trend is called ${trend}`);
  }
  if (rsi !== undefined) {
    up += rsi < LOW_RSI ? 0.45 : rsi > HIGH_RSI ? -0.45 : (50 - rsi) / 100;
    reasons.push(`RSI ${rsi} is ${rsi < LOW_RSI ? 'oversold' : rsi > HIGH_RSI ? 'overbought' : 'in its middle range'}`);
  }
  if (histogram !== undefined && histogram !== 0) {
    up += histogram > 0 ? 0.2 : -0.2;
    reasons.push(`MACD ${histogram} points ${histogram > 0 ? 'up' : 'down'}`);
  }
  let score = side === 'long' ? up : -up;
  if (volume !== undefined) {
    score *= volume >= 1.5 ? 1.2 : volume < 0.7 ? 0.7 : 1;
    reasons.push(`volume is ${volume} times its usual`);
  }
  return { side, score: Math.max(-1, Math.min(1, score)), trend, reasons };
}

/** The value of a name, or of the shortest name that begins with it: `rsi` finds `rsi14`. */
function find(numbers: ReadonlyMap<string, number>, name: string): number | undefined {
  const wanted = nameOf(name);
  const exact = numbers.get(wanted);
  if (exact !== undefined) return exact;
  const longer = [...numbers.keys()].filter((key) => new RegExp(`^${wanted}\\d+$`).test(key)).toSorted((a, b) => a.length - b.length)[0];
  return longer === undefined ? undefined : numbers.get(longer);
}
