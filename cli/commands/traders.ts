import { TradeMindError, traderJsonSchema } from '@trademind/core';
import { needsOf } from '@trademind/engine';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count } from '../output/format.ts';
import { createTerminal } from '../output/terminal.ts';
import { confirm } from '../prompts/confirm.ts';
import { findLocalCloud } from '../services/local-cloud.ts';
import { findTemplate } from '../services/template.ts';
import { readTraderFile, type CheckedTrader } from '../services/trader-file.ts';

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
  for (const { name, version, enabled, document, problem } of traders) {
    if (document === null) {
      line(`${c.bold(name)} ${c.dim(`version ${version}`)} ${c.red(problem ?? 'cannot be read')}`);
      continue;
    }
    line(`${c.bold(name)} ${c.dim(`${document.side}, ${document.interval ?? 'the machine\'s interval'}, version ${version}`)}${enabled ? '' : c.yellow(' disabled')}`);
    for (const [condition, expression] of Object.entries(document.where)) line(`  ${c.dim(condition.padEnd(18))} ${expression}`);
    if (document.when !== 'all') line(`  ${c.dim('when'.padEnd(18))} ${typeof document.when === 'string' ? document.when : `at least ${document.when.atLeast}`}`);
  }
  if (traders.length === 0) line('No traders yet.\n  → npx trademind traders templates');
  return EXIT.ok;
}

/** `trademind traders add FILE` or `--template NAME`: nothing is sent unless every document compiles. */
export async function addTrader(options: Options & { template?: string }, io: Io, file?: string): Promise<number> {
  const documents = documentsOf(options.template, file, io.cwd);
  const { control } = findLocalCloud(options.data, io);
  for (const { document, warnings } of documents) {
    for (const warning of warnings) io.stderr(`trademind: ${document.name}: ${warning}\n`);
    const trader = await control.addTrader({ document });
    io.stdout(options.json ? `${JSON.stringify(trader)}\n` : `Stored ${trader.name}; your machine takes it up with its next beat (at most 15 s).\n`);
  }
  return EXIT.ok;
}

function documentsOf(template: string | undefined, file: string | undefined, cwd: string): readonly Pick<CheckedTrader, 'document' | 'warnings'>[] {
  if ((template === undefined) === (file === undefined)) {
    throw new TradeMindError({ code: 'usage', field: 'file', message: 'Give a file or --template NAME, one of them.', nextStep: '`npx trademind traders templates` lists the templates.' });
  }
  if (template === undefined) return readTraderFile(file!, cwd);
  const { document, compiled } = findTemplate(template);
  return [{ document, warnings: compiled.warnings }];
}

/** `trademind traders check FILE`: what `add` would say, without a cloud: whether each trader is valid, and what it takes to run it. */
export async function checkTraders(options: { json?: boolean }, io: Io, file = ''): Promise<number> {
  const traders = readTraderFile(file, io.cwd);
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  for (const { document, compiled, warnings } of traders) {
    const needs = needsOf(compiled);
    if (options.json) {
      io.stdout(`${JSON.stringify({ name: document.name, interval: compiled.interval, conditions: compiled.conditions.map(({ name }) => name), needs, warnings })}\n`);
      continue;
    }
    line(`${c.green('✓')} ${c.bold(document.name)} ${c.dim(`${document.side}, ${compiled.interval}${document.interval === undefined ? ' (the machine\'s interval)' : ''}, ${count(compiled.conditions.length, 'condition')}`)}`);
    for (const { symbol, interval, settle } of needs.candles) line(`  ${interval.padEnd(4)} ${count(settle, 'candle')}${symbol === null ? '' : ` of ${symbol}`} until it has settled and gives signals`);
    line(`  ${count(needs.nodes, 'distinct calculation')}, ${count(needs.bytesPerSymbol, 'byte')} of memory per symbol`);
    for (const warning of warnings) line(`  ${c.yellow('!')} ${warning}`);
  }
  return Promise.resolve(EXIT.ok);
}

/** `trademind traders schema`: the published JSON Schema, for editors. */
export async function traderSchema(_options: object, io: Io): Promise<number> {
  io.stdout(`${JSON.stringify(traderJsonSchema(), null, 2)}\n`);
  return Promise.resolve(EXIT.ok);
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
