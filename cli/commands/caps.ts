import { AnalysisCaps, DEFAULT_ANALYSIS_CAPS, parseWith } from '@trademind/core';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { capsText } from '../output/analysis.ts';
import { createTerminal } from '../output/terminal.ts';
import { findLocalCloud } from '../services/local-cloud.ts';

interface Options { data?: string; json?: boolean; tokensPerDay?: string; usdPerDay?: string; default?: boolean }

/** `trademind caps`: what your analyses may use up in a day (UTC); with options, from now on. What is not named stays as it is. */
export async function caps({ data, json, default: asDefault, ...wished }: Options, io: Io): Promise<number> {
  const changes = Object.entries({ tokensPerDay: wished.tokensPerDay, usdPerDay: wished.usdPerDay }).filter(([, value]) => value !== undefined).map(([name, value]) => [name, numberOf(value!)]);
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
  line(`Your analyses may use up ${c.bold(capsText(own ?? DEFAULT_ANALYSIS_CAPS))} in a day (UTC)${own === null ? c.dim(', the default') : ''}.`);
  return EXIT.ok;
}

/** What is no number stays text, which the schema refuses by its field. */
const numberOf = (text: string): unknown => (text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text));
