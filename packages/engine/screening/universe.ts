import type { SymbolInfo, Universe } from '@trademind/core';

/** What is known of symbols beyond the exchange's list; undefined = not known. */
export interface UniverseFacts {
  /** Quote volume of the last 24 h. */
  quoteVolume24h(symbol: string): number | undefined;
  /** Whole days since the symbol's first candle; asked only for traders with a least age. */
  ageDays?(symbol: string): number | undefined;
}

export interface UniverseChoice {
  /** The chosen symbols, the largest first. */
  symbols: string[];
  /** All that the exchange's own words leave, the largest first: of these volume, age and count choose. */
  candidates: string[];
  /** Symbols that are out only because their age is not known, as many as the trader could take. */
  ageUnknown: string[];
  /** Why a symbol is in or out, in a sentence. */
  why(symbol: string): string;
}

/**
 * Which of the exchange's symbols a trader screens, and why one is in or out, in a sentence. Everything follows from what the exchange says of
 * a symbol, never from its name. Without a known 24 h volume a symbol ranks last; ties rank by name, so that the answer is always the same.
 */
export function selectUniverse(rules: Universe, listed: readonly SymbolInfo[], facts: UniverseFacts | UniverseFacts['quoteVolume24h']): UniverseChoice {
  const { quoteVolume24h, ageDays }: UniverseFacts = typeof facts === 'function' ? { quoteVolume24h: facts } : facts;
  // A document stored before these rules existed does not have them.
  const { quote, largest, minQuoteVolume = 0, minAgeDays = 0 } = rules;
  const outOfList = refusals(rules);
  const reasons = new Map<string, string>();
  const volumes = new Map<string, number>();
  for (const info of listed) {
    const out = outOfList(info);
    if (out === undefined) volumes.set(info.symbol, quoteVolume24h(info.symbol) ?? -1);
    else reasons.set(info.symbol, out);
  }
  const candidates = [...volumes].sort(([a, volumeA], [b, volumeB]) => volumeB - volumeA || (a < b ? -1 : 1)).map(([symbol]) => symbol);
  const volumeOf = (symbol: string) => (volumes.get(symbol)! < 0 ? 'unknown' : `${Math.round(volumes.get(symbol)!)} ${quote}`);

  const ageUnknown: string[] = [];
  const ranked = candidates.filter((symbol) => {
    if (minQuoteVolume > 0 && volumes.get(symbol)! < minQuoteVolume) {
      reasons.set(symbol, `its 24 h quote volume (${volumeOf(symbol)}) is below ${minQuoteVolume} ${quote}`);
      return false;
    }
    const age = minAgeDays > 0 ? ageDays?.(symbol) : Infinity;
    if (age === undefined && ageUnknown.length < largest) ageUnknown.push(symbol);
    if (age !== undefined && age >= minAgeDays) return true;
    reasons.set(symbol, age === undefined ? 'its age is not known yet' : `it is ${age} days old, the trader asks for ${minAgeDays}`);
    return false;
  });
  const rankOf = (index: number, symbol: string) => `number ${index + 1} of ${ranked.length} by 24 h quote volume (${volumeOf(symbol)})`;
  for (const [index, symbol] of ranked.entries()) {
    if (index >= largest) reasons.set(symbol, `${rankOf(index, symbol)}, the trader takes the largest ${largest}`);
  }
  const symbols = ranked.slice(0, largest);
  return {
    symbols, candidates, ageUnknown,
    why: (symbol) => {
      const index = symbols.indexOf(symbol);
      return index >= 0 ? `${symbol} is in: ${rankOf(index, symbol)}.` : `${symbol} is out: ${reasons.get(symbol) ?? 'the exchange does not list it'}.`;
    },
  };
}

/** The rules that the exchange's list alone decides: answers why a symbol is out by them. */
function refusals(rules: Universe): (info: SymbolInfo) => string | undefined {
  const include = new Set(rules.include);
  const exclude = new Set(rules.exclude);
  return ({ symbol, quoteAsset, status, leveraged, spot }) =>
    exclude.has(symbol) ? 'the trader excludes it'
    : quoteAsset !== rules.quote ? `its quote asset is ${quoteAsset}, not ${rules.quote}`
    : include.size > 0 && !include.has(symbol) ? 'the trader includes other symbols only'
    : status !== 'TRADING' ? `the exchange says ${status}, not TRADING`
    : spot === false ? 'the exchange does not allow spot trading of it'
    : leveraged ? 'it is a leveraged token'
    : undefined;
}
