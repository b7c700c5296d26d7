// The section of `docs/traders.md` between two marks, made from the templates themselves. `npm run docs` writes it.
import { TraderDocument } from '@trademind/core';
import { compileTrader, needsOf, STARTER_TRADERS, TEMPLATE_TRADERS } from '@trademind/engine';

const BEGIN = '<!-- templates: made by `npm run docs`; a change here is lost -->';
const END = '<!-- /templates -->';

/** The page with its table of templates as they are today. */
export function withTemplates(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`docs/traders.md has no ${BEGIN} … ${END}.`);
  const rows = TEMPLATE_TRADERS.map((input) => {
    const { name, side, interval, description } = TraderDocument.parse(input);
    const needs = needsOf(compileTrader(TraderDocument.parse(input), '5m')).candles.map((one) => `${one.settle} × ${one.symbol === null ? '' : `${one.symbol} `}${one.interval}`).join(', ');
    return `| ${name}${STARTER_TRADERS.includes(input) ? ' ¹' : ''} | ${side} | ${interval} | ${needs} | ${description} |`;
  });
  return `${before}${BEGIN}\n| template | side | interval | signals after (candles) | what it does |\n| --- | --- | --- | --- | --- |\n${rows.join('\n')}\n${END}${after}`;
}
