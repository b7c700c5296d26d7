import { stripVTControlCharacters } from 'node:util';
import { TradeMindError, type LogLine, type MachineLogs } from '@trademind/core';
import { listenForShutdown } from '../dev/shutdown.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { utc } from '../output/format.ts';
import { createTerminal } from '../output/terminal.ts';
import { findLocalCloud, findMachine } from '../services/local-cloud.ts';
import { followLogs } from '../services/log-lines.ts';

/** `trademind logs`: the machine's last lines, the newest at the bottom; with --follow what comes after them too. */
export async function logs(options: { data?: string; json?: boolean; lines: string; follow?: boolean }, io: Io): Promise<number> {
  const limit = Number(options.lines);
  if (!Number.isInteger(limit) || limit < 1 || limit > 500) {
    throw new TradeMindError({ code: 'usage', field: '--lines', message: `--lines ${options.lines}: give a whole number from 1 to 500.` });
  }
  const { control } = findLocalCloud(options.data, io);
  const machine = await findMachine(control);
  const { colors, line } = createTerminal(io.streams.stdout, io.color.stdout);
  const onLine = (one: LogLine) => {
    if (options.json) io.stdout(`${JSON.stringify(one)}\n`);
    else line(`${colors.dim(utc(Date.parse(one.at), true))} ${one.level === 'error' ? colors.red('error') : one.level === 'warn' ? colors.yellow('warn ') : 'info '} ${plain(one.message)}`);
  };
  // beside the lines, so that whoever pipes them away still reads it
  const onNotice = ({ message, nextStep }: NonNullable<MachineLogs['notice']>) => io.stderr(`trademind: ${message}\n  → ${nextStep}\n`);

  if (!options.follow) {
    const { items, notice } = await control.logs(machine.id, { limit });
    for (const item of items) onLine(item);
    if (notice !== null) onNotice(notice);
    return items.length > 0 ? EXIT.ok : EXIT.notFound;
  }
  const shutdown = listenForShutdown(() => process.exit(EXIT.interrupted), io.now);
  try {
    await followLogs({ read: (at) => control.logs(machine.id, at), lines: limit, signal: shutdown.signal, onLine, onNotice });
  } finally {
    shutdown.dispose();
  }
  return EXIT.ok;
}

/** A line may hold what a process wrote as it ended: nothing of it moves the cursor. */
const plain = (text: string): string => stripVTControlCharacters(text).replaceAll(/\p{Cc}+/gu, ' ');
