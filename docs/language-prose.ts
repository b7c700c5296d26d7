// The words of `docs/language.md` that no table has. Every ```js block is a list of expressions, one a line, and every ```yaml block is a trader: tests/docs runs them all.

const opening = `
# The language of traders
A trader says what it looks for in expressions: \`rsi(14) < 30\`, \`crossover(ema(9), ema(21))\`, \`volume > 3 * sma(volume, 20)\`. The grammar is that of JavaScript's expressions; the words are
the market's. An expression is data: it is parsed, checked against a list of what is allowed, and compiled to a graph in which equal parts are computed once for all traders.
Nothing in it is ever run as code.

Try any of it on candles of your own:

\`\`\`sh
npx trademind evaluate 'rsi(14) < 30 && close > sma(200)' --candles BTCUSDT-1h.csv
npx trademind language macd
\`\`\`

A trader with two conditions that must both hold:

\`\`\`yaml
name: Dip in an uptrend
side: long
interval: 1h
where:
  uptrend: close > sma(200)
  dip: crossunder(rsi(14), 30)
\`\`\``;

const values = `
## Values
Every expression is of one of three kinds, known before it runs:

- a **number**, the same on every candle: \`30\`, \`0.5\`, \`1e-8\`, \`1_000_000\`. A \`_\` between digits is for the eye alone. Numbers are IEEE 754 doubles.
- a **series**, a number on each candle: \`close\`, \`rsi(14)\`, \`high - low\`. A number may stand wherever an operator takes a series.
- a **condition**, which on each candle **holds**, **does not hold**, or is **not ready**: \`close > open\`.

A condition is never a number and a number never a condition: write \`volume > 0\`, not \`volume\`. There are no texts, lists or objects; text in quotes stands only where a function asks for it.

\`\`\`js
quoteVolume > 1_000_000
(high - low) / close < 0.5e-2
\`\`\``;

const series = `Of each candle. All times are UTC and those of the candle's open. Where the source of the candles has no quote volume it is volume × hlc3, and the output says so.`;

const operators = `Those with a smaller number bind closer, as in JavaScript; of one level the left comes first (\`? :\` goes from the right). Comparisons are not chained: write \`a < b && b < c\`.`;

const threeValued = `Before an indicator has enough candles it has no value. Such a value is **not ready**: it is not 0, not false, and a comparison with it is not ready either. A condition that is not ready does not hold,
and neither does its opposite: \`!(rsi(14) < 30)\` does not fire on the first candle. What is known decides: \`false && x\` is false whatever x is, \`true || x\` is true.`;

const threeValuedRest = `A function over the last n candles is not ready until it has a value for each of the n; a crossing or a run is decided as soon as one part of it fails. A division of 0 by 0 is not ready, as are the root and the logarithm of a negative number
and whatever is computed from something that is not ready; a number divided by 0 is infinite, which is a value and may be compared. JSON has no infinity: \`evaluate --json\` writes \`null\` for it as for what is not ready, and names such candles in \`infinite\`: \`[{"candle": 0, "sign": 1}]\`, counted from 0. A candle that is missing on a higher interval or from another symbol is not ready, too.`;

const offsets = `
## Looking back
\`x[n]\` is what x was n candles ago, of any series or condition; \`x[0]\` is x. n must be known before the candles are: a number, a param, or what can be computed from them. It looks back only.

\`\`\`js
close > close[1] && close[1] > close[2]
rsi(14) > rsi(14)[1]
macd(12, 26, 9).histogram[1] < 0
(close > open)[1] && !(close > open)
\`\`\`

\`highest(x, n)\` and \`lowest(x, n)\` count the current candle: nothing closes above the highest high of a window in which it is itself, and the compiler warns. A breakout looks at the window before:

\`\`\`js
close > highest(high, 20)[1]
\`\`\``;

const readiness = `
## First value, and settled
Two lengths belong to every calculation. The **first value** comes when the window is full: \`ema(20)\` has one after 20 candles. It has **settled** when it no longer depends on where the candles began: the effect is below
one millionth of a price, or of the 100 points of an oscillator; of what jumps by multiples, such as the average of a volume or of a range, below a hundred-thousandth of its largest value since. \`ema(20)\` has after 140 candles, \`rsi(14)\` after 197. Lengths of nested calculations add up. \`evaluate\` shows values from the first on; a trader gives signals only when all it needs has settled, fetches as
many candles before it begins, and says which are missing. More than ten years of them are warned about: \`on("1M", sma(1000))\` needs 82. Some values wait for an event (the first pivot, the first time that a condition holds): they are not ready until it has happened.

Values that only add up (a volume balance, for instance) depend for ever on where they began: compare how they change, not how large they are.

\`\`\`js
change(ema(20), 5) > 0
\`\`\``;

const functions = `Arguments in brackets behind the name; what has a default may be left out, and where a series comes first and is left out it is the close: \`sma(20)\` is \`sma(close, 20)\`. Lengths and other constants must be known before the
candles are: numbers, params, or arithmetic on them. An indicator with several outputs wants one of them behind a dot. Averages use the current candle; a tie of two candles is the later one's. A candle
costs the same few steps however long an indicator looks back, unless it says otherwise: a volume profile of 1,000 candles costs as much as hundreds of averages.`;

const families = {
  'Oscillators and momentum': 'Values in points run from 0 to 100 or are per cent: 5 is 5 %.',
  'Events over time': 'What happened on the last candles, the current one included.',
  'Other intervals, other symbols, the market': 'A trader screens one symbol and one interval at a time; these look elsewhere. On a higher interval that is the last candle that has closed, never the one under way; one that closes at the same instant counts as closed. Inside, `[1]` counts candles of that interval. A higher candle is made of the lower ones; where one of them is missing it is not ready. `evaluate` has the candles of one symbol and refuses what needs others.',
} as const;

const names = `
## Names of your own: \`params\` and \`let\`
\`params\` are numbers with a name: change them in one place, or give bounds within which they may be tried. \`let\` are expressions with a name; they may use params and each other in any order, but not in a circle.
A name begins with a small letter or \`_\` and cannot be a word of the language. Parts that recur cost nothing: what is equal is computed once.

\`\`\`yaml
name: Squeeze
side: long
params:
  n: { value: 20, min: 10, max: 60, step: 5 }
  calm: 0.04
let:
  width: bollinger(n, 2).width
  was_calm: width[1] < calm
where:
  squeeze: was_calm && width > width[1]
  up: close > bollinger(n, 2).upper
\`\`\`

On the command line: \`npx trademind evaluate 'width < calm' --param calm=0.04 --let 'width=bollinger(20, 2).width' --candles FILE.csv\`.`;

const when = `
## Conditions: \`where\` and \`when\`
\`where\` names conditions, so that each can be shown with its numbers and be explained. \`when\` says which must hold: \`all\` (the default), \`any\`, \`{ atLeast: 2 }\`, or an expression over the names alone, in the same
three-valued logic. A signal is given when \`when\` holds on a closed candle and did not on the one before (\`repeat: every-candle\` asks for all).

\`\`\`yaml
name: Two of three
side: long
where:
  trend: ema(20) > ema(50)
  cheap: rsi(14) < 40
  busy: volume > 2 * sma(volume, 20)
when: { atLeast: 2 }
\`\`\`

\`\`\`yaml
name: Trend and a reason
side: long
where:
  trend: ema(20) > ema(50)
  cheap: rsi(14) < 40
  busy: volume > 2 * sma(volume, 20)
when: trend && (cheap || busy)
\`\`\`

In YAML an expression that begins with one of \`! & * | > % @\` or a quote, or has \`: \` or \` #\` in it, stands in quotes: \`calm: '!(close > open)'\`. What else a trader may say is in [traders.md](traders.md).`;

const limits = `Checked before a trader is saved or an expression runs; the error names the figure.`;

const errors = `An error has a stable code, the field (\`where.oversold\`), line and column, shows the place, says what was probably meant, and what to do next. \`--json\` gives them as \`{"error": {"code", "message", "field", "frame", "nextStep"}}\`.`;

const refused = `
## What is not in the language
Whatever else JavaScript has is refused, not run: text, templates, lists, objects, functions of your own, \`new\`, \`this\`, assignments, \`?.\`, \`??\`, \`**\`, bitwise operators, \`typeof\`, regular expressions, comments. Calls go to functions of the
language only, never to a member; names such as \`constructor\` or \`__proto__\` mean nothing here.`;

const tools = `
## For editors
\`npx trademind language --json\` gives all of the above as data: \`{version, series, families, functions, operators, limits, errors}\`. A function has \`name, family, signature, summary, arguments [{name, type, default, min, max, rest}], outputs,
returns, unit, seed, awaits, warmUp {expression, first, settle}, cumulative, cost, source, example\`. \`version\` grows when a field goes or changes its meaning. Traders have a JSON Schema: [trader.schema.json](trader.schema.json), \`npx trademind traders schema\`.`;

export const PROSE = { opening, values, series, operators, threeValued, threeValuedRest, offsets, readiness, functions, families, names, when, limits, errors, refused, tools };
