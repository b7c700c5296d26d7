import { Explanation, parseWith, TradeMindError } from '@trademind/core';
import { markOf } from '@trademind/engine';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { createTerminal } from '../output/terminal.ts';
import { askMachine } from '../services/feed.ts';
import { findLocalCloud, findMachine } from '../services/local-cloud.ts';

/** `trademind explain TRADER SYMBOL`: why a trader holds on a symbol's last closed candle, or why not, or what is missing. */
export async function explain(options: { data?: string; json?: boolean }, io: Io, name = '', symbol = ''): Promise<number> {
  const { control } = findLocalCloud(options.data, io);
  const trader = (await control.traders()).find((one) => one.id === name || one.name.toLowerCase() === name.toLowerCase());
  if (!trader) throw new TradeMindError({ code: 'not_found', field: 'trader', message: `You have no trader "${name}".`, nextStep: '`npx trademind traders list` names them.' });
  const machine = await findMachine(control);
  const query = new URLSearchParams({ trader: trader.id, symbol: symbol.toUpperCase() });
  const told = parseWith(Explanation, await askMachine(control, machine.id, `/v1/explain?${query.toString()}`), 'unexpected_answer', 'GET /v1/explain');
  if (options.json) io.stdout(`${JSON.stringify(told)}\n`);
  else tell(told, io);
  return told.verdict === 'not in the universe' ? EXIT.notFound : EXIT.ok;
}

function tell({ headline, sentence, conditions }: Explanation, io: Io): void {
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  const [, candle] = sentence.split('\n');
  line(c.bold(headline));
  if (candle !== undefined) line(c.dim(candle));
  for (const condition of conditions) {
    const mark = markOf(condition);
    line(`  ${mark === '✓' ? c.green(mark) : mark === '✗' ? c.red(mark) : c.yellow(mark)} ${c.bold(condition.name)} ${condition.sentence}`);
  }
}
