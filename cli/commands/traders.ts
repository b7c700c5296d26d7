import { TradeMindError } from '@trademind/core';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { createTerminal } from '../output/terminal.ts';
import { confirm } from '../prompts/confirm.ts';
import { findLocalCloud } from '../services/local-cloud.ts';
import { readTraderFile } from '../services/trader-file.ts';

interface Options { data?: string; json?: boolean }

/** `trademind traders list`. */
export async function listTraders(options: Options, io: Io): Promise<number> {
  const { control } = findLocalCloud(options.data, io);
  const traders = await control.traders();
  if (options.json) {
    for (const trader of traders) io.stdout(`${JSON.stringify(trader)}\n`);
    return EXIT.ok;
  }
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  for (const { name, version, enabled, document } of traders) {
    line(`${c.bold(name)} ${c.dim(`${document.side}, ${document.interval ?? 'the machine\'s interval'}, version ${version}`)}${enabled ? '' : c.yellow(' disabled')}`);
    for (const [condition, expression] of Object.entries(document.where)) line(`  ${c.dim(condition.padEnd(18))} ${expression}`);
    if (document.when !== 'all') line(`  ${c.dim('when'.padEnd(18))} ${typeof document.when === 'string' ? document.when : `at least ${document.when.atLeast}`}`);
  }
  if (traders.length === 0) line('No traders yet.\n  → npx trademind traders add FILE');
  return EXIT.ok;
}

/** `trademind traders add FILE`: nothing is sent unless every document compiles. */
export async function addTrader(options: Options, io: Io, file = ''): Promise<number> {
  const documents = readTraderFile(file, io.cwd);
  const { control } = findLocalCloud(options.data, io);
  for (const { document, warnings } of documents) {
    for (const warning of warnings) io.stderr(`trademind: ${document.name}: ${warning}\n`);
    const trader = await control.addTrader({ document });
    io.stdout(options.json ? `${JSON.stringify(trader)}\n` : `Stored ${trader.name}; your machine takes it up with its next beat (at most 15 s).\n`);
  }
  return EXIT.ok;
}

/** `trademind traders remove NAME`: by name or id. */
export async function removeTrader(options: Options & { yes?: boolean }, io: Io, name = ''): Promise<number> {
  const { control } = findLocalCloud(options.data, io);
  const trader = (await control.traders()).find((one) => one.name === name || one.id === name);
  if (!trader) throw new TradeMindError({ code: 'not_found', message: `You have no trader "${name}".`, nextStep: '`npx trademind traders list` names them.' });
  if (!options.yes && !options.json && io.interactive && !(await confirm(`Remove ${trader.name}? Its signals stay.`, io))) return EXIT.interrupted;
  await control.removeTrader(trader.id);
  io.stdout(options.json ? `${JSON.stringify({ removed: trader.id, name: trader.name })}\n` : `Removed ${trader.name}.\n`);
  return EXIT.ok;
}
