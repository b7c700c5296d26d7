import { DAY } from './intervals.ts';
import { hash, normalAt, uniformAt } from './random.ts';
import { cellOf } from './depth.ts';
import { listings } from './symbols.ts';
import type { SymbolInfo } from './source.ts';

/** A simulated symbol: what the exchange says of it, and how it behaves. */
export interface SimulatedSymbol {
  info: SymbolInfo;
  key: number;
  /** Price in the quote asset on the listing day. */
  price: number;
  /** Standard deviation of a day's log return, and how much of it is the whole market's. */
  dailyVolatility: number;
  marketShare: number;
  /** What is traded on a usual day, in the quote asset. */
  dailyTurnover: number;
}

/** The symbols of a simulated market that was opened at `origin`; each depends on the seed and its own name alone. */
export function simulatedSymbols(seed: string, count: number, origin: number): SimulatedSymbol[] {
  const openedOn = Math.floor(origin / DAY) * DAY;
  return listings(count).map(({ base, quote, price: known }, rank) => {
    const symbol = base + quote;
    const key = hash(`${seed}/${symbol}`);
    const draw = (n: number) => uniformAt(key, n);
    const leverage = base === 'BTCUP' ? 3 : base === 'BTCDOWN' ? -3 : 0;
    const price = (known ?? Math.exp(Math.log(0.004) + draw(0) * Math.log(10_000))) * Math.exp(0.05 * normalAt(key, 50));
    const volatility = base === 'BTC' ? 0.028 : leverage ? 0.085 : 0.035 + 0.035 * draw(1);
    const magnitude = Math.floor(Math.log10(price));
    const tick = units(10 ** Math.max(-8, Math.min(-2, magnitude - 4)));
    const step = units(10 ** Math.max(-5, Math.min(0, -magnitude - 1)));
    const turnover = (2e9 / (rank + 1) ** 1.15) * (0.7 + 0.6 * draw(3)) * (quote === 'USDT' ? 1 : 0.3) + 1e5;
    return {
      key, price,
      dailyVolatility: volatility,
      marketShare: base === 'BTC' ? 1 : leverage ? Math.sign(leverage) * 0.99 : 0.45 + 0.35 * draw(2),
      dailyTurnover: turnover,
      info: {
        symbol, base, quote,
        tick,
        step,
        resting: Math.max(20, Math.round((turnover / 40_000 / price) / (step / 1e8))),
        spread: Math.max(1, Math.round(((price * 0.0001 * Math.min(8, (rank + 1) / 40)) / tick) * 1e8)),
        cell: cellOf(price * 1e8, tick),
        permissions: leverage ? ['LEVERAGED'] : ['SPOT', ...(draw(4) < 0.6 ? ['MARGIN'] : [])],
        first: openedOn - (45 + Math.floor(draw(5) * 136)) * DAY,
        end: Infinity,
        source: 'simulated',
        shiftWeeks: 0,
        derived: [],
        adjusted: 0,
      },
    };
  });
}

const units = (value: number) => Math.round(value * 1e8);
