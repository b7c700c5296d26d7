import { needsOf } from '@trademind/engine';
import { stringify } from 'yaml';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count } from '../output/format.ts';
import { createTerminal } from '../output/terminal.ts';
import { findTemplate, templates, type Template } from '../services/template.ts';

/** `trademind traders templates [NAME]`: the traders that are offered, or one of them as a document to keep and change. */
export async function listTemplates({ json }: { json?: boolean }, io: Io, name?: string): Promise<number> {
  if (name !== undefined) {
    const { input } = findTemplate(name);
    io.stdout(json ? `${JSON.stringify(input)}\n` : stringify(input, { lineWidth: 100 }));
    return EXIT.ok;
  }
  const { colors: c, line, width } = createTerminal(io.streams.stdout, io.color.stdout);
  for (const template of templates()) {
    const { document, compiled, starter, input } = template;
    if (json) {
      io.stdout(`${JSON.stringify({ name: document.name, starter, needs: needsOf(compiled), document: input })}\n`);
      continue;
    }
    line(`${c.bold(document.name)} ${c.dim(`${document.side}, ${compiled.interval}${starter ? ', one of those that a first start stores' : ''}`)}`);
    for (const text of wrap(document.description, Math.min(width(), 110) - 2)) line(`  ${text}`);
    line(c.dim(`  gives signals after ${needsText(template)}`));
  }
  if (!json) line('\nnpx trademind traders add --template NAME adds one; npx trademind traders templates NAME > my-trader.yaml makes it yours.');
  return Promise.resolve(EXIT.ok);
}

/** `392 candles of 15m, 50 of 1h`; of a symbol that it names `96 of BTCUSDT 15m`. */
const needsText = ({ compiled }: Template): string =>
  needsOf(compiled).candles.map(({ symbol, interval, settle }, index) => `${index === 0 ? count(settle, 'candle') : settle} of ${symbol === null ? '' : `${symbol} `}${interval}`).join(', ');

/** A text in lines of at most so many characters. */
function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}
