import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseWith, TradeMindError, TraderDocument, type Interval } from '@trademind/core';
import { compileTrader } from '@trademind/engine';

/** What a machine screens on when a trader names no interval (KLINE_INTERVAL). */
export const DEFAULT_INTERVAL: Interval = '5m';

/** A trader that compiles, and what is allowed in it but hardly meant. */
export interface CheckedTrader { document: TraderDocument; warnings: readonly string[] }

/** Reads trader documents from a JSON file (one, or an array); `-` is stdin. Each is checked and compiled before it is sent anywhere. */
export function readTraderFile(file: string, cwd: string): CheckedTrader[] {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : resolve(cwd, file), 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new TradeMindError({ code: missing ? 'not_found' : 'file_unreadable', field: 'file', message: missing ? `There is no file ${file}.` : `${file} cannot be read: ${(error as Error).message}`, cause: error });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new TradeMindError({ code: 'trader_invalid', message: `${file} is not JSON: ${(error as Error).message}`, nextStep: 'A trader is one JSON object; `npx trademind traders list --json` shows some.', cause: error });
  }
  const documents = (Array.isArray(parsed) ? parsed : [parsed]) as unknown[];
  return documents.map((document) => checkTrader(document, file));
}

/** Parses and compiles one document. Throws `trader_invalid`, or the language's error with a caret under the place. */
export function checkTrader(document: unknown, file: string): CheckedTrader {
  const trader = parseWith(TraderDocument, document, 'trader_invalid', file);
  const { warnings } = compileTrader(trader, DEFAULT_INTERVAL);
  return { document: trader, warnings };
}
