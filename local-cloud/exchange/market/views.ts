import { Depth } from './depth.ts';
import { Quotes } from './quotes.ts';
import { Tickers } from './ticker.ts';
import { TradeLog } from './trade-log.ts';
import type { CandleBook } from './aggregate.ts';

/** Every view of the played market. All are told from the same trades, so that none contradicts another. */
export interface Views { book: CandleBook; tickers: Tickers; quotes: Quotes; depth: Depth; tradeLog: TradeLog }

/** The views of a book of candles, wired to each other. */
export function viewsOf(book: CandleBook): Views {
  const quotes = new Quotes(book);
  return { book, tickers: new Tickers(book), quotes, depth: new Depth(book, quotes), tradeLog: new TradeLog(book) };
}
