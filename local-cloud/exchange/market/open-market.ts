import { realpathSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { CandleBook } from './aggregate.ts';
import { MarketClock } from './clock.ts';
import { collide, EventfulMarket, type MarketEvent } from './events.ts';
import { RecordedMarket } from './recorded.ts';
import { readRecordings, type Recording } from './recordings.ts';
import { chooseShifts, weeksOnto } from './shifts.ts';
import { SimulatedMarket } from './simulated.ts';
import { exchangeError, readState, writeState, type MarketState } from './state.ts';

export interface MarketOptions {
  /** 'simulated', or a folder or file of candles or of stream frames. Left out: what the data folder holds, else 'simulated'. */
  market?: string | undefined;
  speed?: number | undefined;
  dataDir: string;
  seed?: string | undefined;
  /** Size of the simulated market, 1 to 500. */
  symbols?: number | undefined;
  now: () => number;
  log: (line: Record<string, unknown>) => void;
}

/** A market that plays: its candles and its clock. */
export interface Market {
  name: string;
  origin: number;
  source: EventfulMarket;
  book: CandleBook;
  clock: MarketClock;
  /** Lets something happen, from a minute on that has not begun. Throws `event_collides`, or the system's error when it cannot be written down. */
  happen(event: MarketEvent): void;
}

/** Newcomers should see candles close; `--speed 1` is real time. */
const DEFAULT_SPEED = 60;
const DEFAULT_SYMBOLS = 20;

/**
 * Opens the market of a data folder: the one it holds, where it paused, or a new one.
 * Throws errors with `code`: market_changed, market_state_unreadable, candles_not_found, candles_malformed, frames_malformed,
 * candles_do_not_overlap, invalid_option, or the system's.
 */
export function openMarket(options: MarketOptions): Market {
  const stored = readState(options.dataDir);
  const name = marketName(options.market ?? stored?.market ?? 'simulated');
  const speed = options.speed ?? stored?.clock.speed ?? DEFAULT_SPEED;
  const symbols = options.symbols ?? stored?.symbols ?? DEFAULT_SYMBOLS;
  checkOptions(speed, symbols);
  if (stored) refuseChange(stored, name, options.seed);

  const wall = options.now();
  const recordings = name === 'simulated' ? [] : readRecordings(name);
  const seed = stored?.seed ?? options.seed ?? randomBytes(8).toString('hex');
  const chosen = stored ? { shifts: shiftsAgain(stored, recordings), window: stored.window, origin: stored.origin } : choose(recordings, wall);
  const source = new EventfulMarket(
    name === 'simulated' ? new SimulatedMarket({ seed, count: symbols, origin: chosen.origin }) : new RecordedMarket(recordings, chosen.shifts),
    stored?.events ?? [],
  );
  const clock = new MarketClock({
    now: options.now, speed, origin: chosen.origin, stored: stored?.clock,
    save: (state) => writeState(options.dataDir, { version: 1, market: name, seed, symbols, ...chosen, events: source.events, clock: state }),
    onSaveError: (error) => options.log({ level: 'error', event: 'market_state_not_written', message: (error as Error).message }),
  });
  const happen = (event: MarketEvent) => {
    if (source.events.some((other) => collide(other, event))) throw exchangeError('event_collides', 'Something else happens to that symbol at that time already.');
    source.events.push(event);
    clock.keep();
  };
  return { name, origin: chosen.origin, source, book: new CandleBook(source), clock, happen };
}

function checkOptions(speed: number, symbols: number): void {
  if (!(speed >= 0 && speed <= 3600)) throw exchangeError('invalid_option', `--speed ${speed}: give a number from 0 to 3600 (1 is real time; 0 waits to be stepped over the admin port).`);
  if (!(Number.isInteger(symbols) && symbols >= 1 && symbols <= 500)) throw exchangeError('invalid_option', `--symbols ${symbols}: give a whole number from 1 to 500.`);
}

function marketName(market: string): string {
  if (market === 'simulated') return market;
  try {
    return realpathSync(market);
  } catch (cause) {
    throw exchangeError('candles_not_found', `${market} cannot be read. Give --market a folder of candle files, one file, or "simulated".`, cause);
  }
}

function refuseChange(stored: MarketState, name: string, seed: string | undefined): void {
  if (stored.market !== name) throw exchangeError('market_changed', `This data folder plays the market ${stored.market}, not ${name}: use --reset to begin anew, or another --data.`);
  if (seed !== undefined && seed !== stored.seed) throw exchangeError('market_changed', `This data folder plays the seed ${stored.seed}, not ${seed}: use --reset to begin anew, or another --data.`);
}

function choose(recordings: readonly Recording[], wall: number): Pick<MarketState, 'shifts' | 'window' | 'origin'> {
  if (recordings.length === 0) return { shifts: {}, window: null, origin: Math.floor(wall) };
  return chooseShifts(new Map(recordings.map(({ symbol, stretch }) => [symbol, stretch])), wall);
}

/** The stored shifts; a recording that was added since is laid over the stretch that the others cover. */
function shiftsAgain(stored: MarketState, recordings: readonly Recording[]): Record<string, number> {
  const present = new Set(recordings.map((recording) => recording.symbol));
  const missing = Object.keys(stored.shifts).filter((symbol) => !present.has(symbol));
  if (missing.length > 0) throw exchangeError('candles_not_found', `${stored.market} no longer holds the candles of ${missing.join(', ')}: put them back, or use --reset.`);
  const window = stored.window ?? { from: stored.origin, to: stored.origin };
  return Object.fromEntries(recordings.map(({ symbol, stretch }) => [symbol, stored.shifts[symbol] ?? weeksOnto(stretch, window)]));
}
