import { TradeMindError } from '@trademind/core';
import { signalLine } from '../dev/story-text.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { createTerminal } from '../output/terminal.ts';
import { findLocalCloud } from '../services/local-cloud.ts';

/** `trademind signals`: the newest stored signals, newest last (the terminal's bottom is where one looks). */
export async function signals(options: { data?: string; json?: boolean; limit: string }, io: Io): Promise<number> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
    throw new TradeMindError({ code: 'usage', field: '--limit', message: `--limit ${options.limit}: give a whole number from 1 to 1000.` });
  }
  const { gateway, session } = findLocalCloud(options.data, io);
  const found = (await gateway.signals(await session.token(), limit)).toReversed();
  const { colors, line } = createTerminal(io.streams.stdout, io.color.stdout);
  for (const signal of found) {
    if (options.json) io.stdout(`${JSON.stringify(signal)}\n`);
    else line(`${signalLine(colors, signal)}${signal.origin === 'history' ? colors.dim('  history') : ''}`);
  }
  if (found.length > 0) return EXIT.ok;
  if (!options.json) line('No signals yet.\n  → npx trademind monitor shows what the machine sees.');
  return EXIT.notFound;
}
