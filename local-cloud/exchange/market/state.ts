import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MarketEvent } from './events.ts';

/** What the data folder remembers of its market, in `market.json`. Times are ms. */
export interface MarketState {
  version: 1;
  /** 'simulated', or the absolute path of the recorded candles. */
  market: string;
  seed: string;
  /** Size of the simulated market. */
  symbols: number;
  /** By how many whole weeks each recorded symbol was moved; chosen once. */
  shifts: Record<string, number>;
  /** The stretch that all recordings cover, in market time (a recording added later is moved to lie over it). */
  window: { from: number; to: number } | null;
  /** Market time at which this market was first opened. */
  origin: number;
  clock: ClockState;
  /** Halts and crashes that were asked for. */
  events?: MarketEvent[];
}

export interface ClockState {
  /** The mapping in use: market = marketOrigin + (wall − wallOrigin) × speed. */
  marketOrigin: number;
  wallOrigin: number;
  speed: number;
  /** Market time when this was written. */
  marketTime: number;
  /** Nothing later than this was ever shown: a promise made ahead, so that a killed exchange never goes back. */
  ahead: number;
  /** True after a clean stop: the market resumes exactly at `marketTime`. */
  paused: boolean;
}

const FILE = 'market.json';

/** An error with a stable code for whoever starts the exchange. */
export function exchangeError(code: string, message: string, cause?: unknown): Error & { code: string } {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/** Reads the state; null when the folder holds none. Throws `market_state_unreadable` for a damaged one. */
export function readState(dataDir: string): MarketState | null {
  let text: string;
  try {
    text = readFileSync(join(dataDir, FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const state = JSON.parse(text) as MarketState;
    const times = [state.origin, state.clock.marketOrigin, state.clock.wallOrigin, state.clock.speed, state.clock.marketTime, state.clock.ahead];
    if (state.version !== 1 || typeof state.market !== 'string' || typeof state.seed !== 'string' || !times.every(Number.isFinite)) throw new Error('fields are missing');
    return state;
  } catch (cause) {
    throw exchangeError('market_state_unreadable', `${join(dataDir, FILE)} is damaged (${(cause as Error).message}). Start with --reset to begin a new market, or use another --data.`, cause);
  }
}

/** Writes the state whole or not at all. Throws the system's error (EACCES, EROFS, ENOSPC …). */
export function writeState(dataDir: string, state: MarketState): void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const temporary = join(dataDir, `${FILE}.new`);
  writeFileSync(temporary, JSON.stringify(state, null, 2), { mode: 0o600 });
  renameSync(temporary, join(dataDir, FILE));
}

/** Forgets the market of this folder. */
export function forgetState(dataDir: string): void {
  rmSync(join(dataDir, FILE), { force: true });
}
