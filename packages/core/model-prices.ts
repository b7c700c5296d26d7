/** What a model costs from a day on, in US dollars per million tokens; output includes thinking. `until`: from that day on the price is not known. */
export interface ModelPrice { model: string; from: string; until?: string; input: number; output: number }

const REDIRECTED = '2026-12-01';

/**
 * Google's prices of the paid tier for prompts up to 200,000 tokens (ai.google.dev/gemini-api/docs/pricing), each from the day on which it was read; those of 2.5-flash and 2.5-pro since
 * their release. From 2026-12-01 on these two are answered by newer models at other prices: then they have none here until somebody has read them.
 */
export const MODEL_PRICES: readonly ModelPrice[] = [
  { model: 'gemini-3.8-flash', from: '2026-10-07', input: 0.75, output: 3.75 },
  { model: 'gemini-3.5-flash-lite', from: '2026-10-07', input: 0.3, output: 2.5 },
  { model: 'gemini-2.5-flash', from: '2025-06-17', until: REDIRECTED, input: 0.3, output: 2.5 },
  { model: 'gemini-2.5-flash-lite', from: '2026-10-07', input: 0.1, output: 0.4 },
  { model: 'gemini-2.5-pro', from: '2025-06-17', until: REDIRECTED, input: 1.25, output: 10 },
];

/** The price of a model on a day (`2026-10-07`), by the last entry that had begun; before the first one, that one. Undefined when none is known. */
export function priceOf(model: string, day: string, prices: readonly ModelPrice[] = MODEL_PRICES): ModelPrice | undefined {
  const base = model.replace(/-(latest|\d{3})$/, '');
  const entries = prices.filter((price) => price.model === base).sort((a, b) => (a.from < b.from ? -1 : 1));
  const price = entries.findLast(({ from }) => from <= day) ?? entries[0];
  return price?.until !== undefined && day >= price.until ? undefined : price;
}

/** Billionths of a US dollar, a whole number: prices have at most three decimals. */
export function costOf(price: ModelPrice, tokensIn: number, tokensOut: number): number {
  return tokensIn * Math.round(price.input * 1_000) + tokensOut * Math.round(price.output * 1_000);
}
