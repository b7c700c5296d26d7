/** What other tools call a word of this language, in small letters. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['ma', 'sma'], ['avg', 'sma'], ['average', 'sma'], ['mean', 'sma'], ['rma', 'smma'], ['wilder', 'smma'], ['lsma', 'linreg'], ['bb', 'bollinger'], ['bbands', 'bollinger'], ['std', 'stdev'], ['stddev', 'stdev'],
  ['stoch', 'stochastic'], ['stochrsi', 'stochRsi'], ['mom', 'momentum'], ['wpr', 'williamsR'], ['ao', 'awesome'], ['uo', 'ultimate'], ['chop', 'choppiness'], ['dmi', 'adx'], ['di', 'adx'], ['sar', 'psar'],
  ['kc', 'keltner'], ['dc', 'donchian'], ['tr', 'trueRange'], ['ad', 'adl'], ['hh', 'highest'], ['ll', 'lowest'], ['ln', 'log'], ['price', 'close'], ['last', 'close'], ['vol', 'volume'], ['turnover', 'quoteVolume'],
  ['weekday', 'dayOfWeek'], ['day', 'dayOfWeek'],
]);

/** The word of `known` that was probably meant: one that others call so, else one that is near, at most one change per three letters (case ignored). Two letters are near to anything, so nothing is guessed of them. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  const words = [...known];
  const alias = ALIASES.get(word.toLowerCase());
  if (alias !== undefined && words.includes(alias)) return alias;
  let best: string | undefined;
  let least = Math.floor(word.length / 3) + 1;
  for (const candidate of words) {
    const distance = distanceOf(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/** Changes from one word to the other: letters added, dropped, replaced, or two neighbours exchanged (optimal string alignment). */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 5) return Infinity;
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(old[j]! + 1, row[j - 1]! + 1, old[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, older[j - 2]! + 1);
      row.push(cost);
    }
    older = old;
    old = row;
  }
  return old[b.length]!;
}
