import { TradeMindError } from '@trademind/core';
import { dataFolder } from '../paths.ts';
import { parseMarket } from './market.ts';
import type { Market } from './settings.ts';

/** The command line of `dev` as commander gives it. */
export interface DevArguments {
  market?: string; speed?: string; data?: string; portBase?: string; until?: 'first-signal'; reset?: boolean; yes?: boolean; json?: boolean;
}

export interface DevOptions {
  market: Market | undefined;
  speed: number | undefined;
  data: string;
  /** ` --data DIR` as it was typed, to be put behind commands that are suggested; empty for the default folder. */
  dataArgument: string;
  portBase: number | undefined;
  untilFirstSignal: boolean;
  reset: boolean;
  yes: boolean;
  json: boolean;
}

/** Highest speed at which the simulated exchange still sends every candle. */
const MAX_SPEED = 3_600;

/** Reads the options of `dev`. Throws `usage`, naming the option. */
export function parseDevOptions(given: DevArguments, cwd: string): DevOptions {
  return {
    market: given.market === undefined ? undefined : parseMarket(given.market, cwd),
    speed: parseSpeed(given.speed),
    data: dataFolder(given.data, cwd),
    dataArgument: given.data === undefined ? '' : ` --data ${given.data}`,
    portBase: parsePortBase(given.portBase),
    untilFirstSignal: given.until === 'first-signal',
    reset: given.reset === true,
    yes: given.yes === true,
    json: given.json === true,
  };
}

export function parseSpeed(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const speed = Number(text);
  if (text.trim() !== '' && speed > 0 && speed <= MAX_SPEED) return speed;
  throw new TradeMindError({ code: 'usage', field: '--speed', message: `--speed ${text}: give a number above 0, at most ${MAX_SPEED}.`, nextStep: '60 means that an hour of the market passes in a minute.' });
}

/** RECORDING_MB as a machine takes it. Throws `usage`. */
export function checkRecordingMb(text: string | undefined): void {
  if (text === undefined || (/^\d+$/.test(text) && Number(text) <= 1_000_000)) return;
  throw new TradeMindError({ code: 'usage', field: 'RECORDING_MB', message: 'RECORDING_MB must be a whole number from 0 to 1000000.', nextStep: 'It says how many MB the recordings of a machine may take in all; leave it out and none is made.' });
}

function parsePortBase(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const base = Number(text);
  if (text.trim() !== '' && Number.isInteger(base) && (base === 0 || (base >= 1_024 && base <= 65_528))) return base;
  throw new TradeMindError({ code: 'usage', field: '--port-base', message: `--port-base ${text}: give 0 (free ports) or a port from 1024 to 65528.` });
}
