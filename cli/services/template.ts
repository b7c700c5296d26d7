import { TradeMindError, TraderDocument, type TraderInput } from '@trademind/core';
import { compileTrader, STARTER_TRADERS, TEMPLATE_TRADERS, type CompiledTrader } from '@trademind/engine';
import { DEFAULT_INTERVAL } from './trader-file.ts';

/** A trader that is offered: as it is written, with all defaults, and compiled. */
export interface Template { input: TraderInput; document: TraderDocument; compiled: CompiledTrader; starter: boolean }

/** Every trader that is offered; those that a first start stores come first. */
export function templates(): Template[] {
  return TEMPLATE_TRADERS.map((input) => {
    const document = TraderDocument.parse(input);
    return { input, document, compiled: compileTrader(document, DEFAULT_INTERVAL), starter: STARTER_TRADERS.includes(input) };
  });
}

/** `VWAP reclaim`, `vwap-reclaim` and `vwap reclaim` are one name. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, ' ').trim();

/** The template of a name, in any case and with spaces or dashes. Throws `not_found` with those that were perhaps meant. */
export function findTemplate(name: string): Template {
  const all = templates();
  const wanted = plain(name);
  const found = all.find(({ document }) => plain(document.name) === wanted);
  if (found) return found;
  const near = all.filter(({ document }) => wanted.split(' ').some((word) => word.length > 2 && plain(document.name).includes(word.slice(0, 5)))).map(({ document }) => document.name);
  throw new TradeMindError({
    code: 'not_found', field: 'template', message: `There is no template "${name.slice(0, 40)}".`,
    nextStep: near.length > 0 ? `Is one of these meant: ${near.join(', ')}?` : '`npx trademind traders templates` lists all.',
  });
}
