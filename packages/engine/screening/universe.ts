import type { SymbolInfo, Universe } from '@trademind/core';

/**
 * Which of the exchange's symbols a trader screens, and why one is in or out, in a sentence. Everything follows from what the exchange says of
 * a symbol, never from its name. Without a known 24 h volume a symbol ranks last; ties rank by name, so that the answer is always the same.
 */
export function selectUniverse(
  rules: Universe, symbols: readonly SymbolInfo[], quoteVolume24h: (symbol: string) => number | undefined,
): { symbols: string[]; why: (symbol: string) => string } {
  const include = new Set(rules.include);
  const exclude = new Set(rules.exclude);
  const reasons = new Map<string, string>();
  const volumes = new Map<string, number>();
  for (const { symbol, quoteAsset, status, leveraged } of symbols) {
    const out = exclude.has(symbol) ? 'the trader excludes it'
      : quoteAsset !== rules.quote ? `its quote asset is ${quoteAsset}, not ${rules.quote}`
      : include.size > 0 && !include.has(symbol) ? 'the trader includes other symbols only'
      : status !== 'TRADING' ? `the exchange says ${status}, not TRADING`
      : leveraged ? 'it is a leveraged token'
      : undefined;
    if (out === undefined) volumes.set(symbol, quoteVolume24h(symbol) ?? -1);
    else reasons.set(symbol, `${symbol} is out: ${out}.`);
  }
  const ranked = [...volumes].sort(([a, volumeA], [b, volumeB]) => volumeB - volumeA || (a < b ? -1 : 1)).map(([symbol]) => symbol);
  for (const [index, symbol] of ranked.entries()) {
    const volume = volumes.get(symbol)!;
    const rank = `number ${index + 1} of ${ranked.length} by 24 h quote volume (${volume < 0 ? 'unknown' : `${Math.round(volume)} ${rules.quote}`})`;
    reasons.set(symbol, index < rules.largest ? `${symbol} is in: ${rank}.` : `${symbol} is out: ${rank}, the trader takes the largest ${rules.largest}.`);
  }
  return { symbols: ranked.slice(0, rules.largest), why: (symbol) => reasons.get(symbol) ?? `${symbol} is out: the exchange does not list it.` };
}
