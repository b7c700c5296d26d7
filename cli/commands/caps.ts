import { AnalysisCaps, DEFAULT_ANALYSIS_CAPS, parseWith, TradeMindError } from '@trademind/core';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { capsText } from '../output/analysis.ts';
import { createTerminal } from '../output/terminal.ts';
import { findLocalCloud } from '../services/local-cloud.ts';

const OPTIONS: Readonly<Record<string, string>> = { tokensPerDay: '--tokens-per-day', usdPerDay: '--usd-per-day' };

interface Options { data?: string; json?: boolean; tokensPerDay?: string; usdPerDay?: string; default?: boolean }

/** `trademind caps`: what your analyses may use up in a day (UTC); with options, from now on. What is not named stays as it is. */
export async function caps({ data, json, default: asDefault, ...wished }: Options, io: Io): Promise<number> {
  const changes = Object.entries({ tokensPerDay: wished.tokensPerDay, usdPerDay: wished.usdPerDay }).filter(([, value]) => value !== undefined).map(([name, value]) => [name, numberOf(name, value!)]);
  const change = Object.fromEntries(changes) as Partial<AnalysisCaps>;
  parseWith(AnalysisCaps, { ...DEFAULT_ANALYSIS_CAPS, ...change }, 'usage', 'The caps');
  const { control } = findLocalCloud(data, io);
  let own = (await control.me()).analysis;
  if (asDefault || changes.length > 0) {
    own = asDefault ? null : { ...DEFAULT_ANALYSIS_CAPS, ...own, ...change };
    await control.setCaps(own);
  }
  if (json) {
    io.stdout(`${JSON.stringify({ ...(own ?? DEFAULT_ANALYSIS_CAPS), default: own === null })}\n`);
    return EXIT.ok;
  }
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  line(own === null
    ? `No caps are set: with a key of your own your analyses may use up ${c.bold(capsText(DEFAULT_ANALYSIS_CAPS))} in a day (UTC), with the platform's what your plan allows.`
    : `Your analyses may use up ${c.bold(capsText(own))} in a day (UTC).`);
  return EXIT.ok;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new TradeMindError({ code: 'usage', message: `${OPTIONS[name]} takes a number, not "${text}".`, field: name, nextStep: `Write it like ${OPTIONS[name]} ${name === 'usdPerDay' ? '0.50' : '2000000'}.` });
  return value;
}
