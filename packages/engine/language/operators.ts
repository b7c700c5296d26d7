/** An operator or a form of the language: what people and editors are told of it. That the compiler takes these and no others, a test holds. */
export interface OperatorDefinition {
  readonly name: string;
  /** How it is written. */
  readonly form: string;
  readonly summary: string;
  /** 1 binds closest. Of one level the left comes first, but for `? :`. */
  readonly level: number;
  readonly operands: string;
  readonly gives: string;
  readonly example: string;
}

const arithmetic = (name: string, level: number, summary: string, example: string): OperatorDefinition =>
  ({ name, form: `a ${name} b`, summary, level, operands: 'numbers', gives: 'a number', example });
const comparison = (name: string, level: number, summary: string, example: string): OperatorDefinition =>
  ({ name, form: `a ${name} b`, summary, level, operands: 'numbers', gives: 'a condition', example });

/** Every operator and form, as JavaScript has them, those that bind closest first. */
export const OPERATORS: readonly OperatorDefinition[] = [
  { name: '()', form: '(a)', summary: 'Taken first.', level: 1, operands: 'anything', gives: 'what is inside', example: '(high + low) / 2 > open' },
  { name: '[]', form: 'x[n]', summary: 'The value n candles ago; n is a whole constant, 0 is now.', level: 1, operands: 'a series or a condition, and a number', gives: 'what x is', example: 'close > close[1]' },
  { name: '.', form: 'f(…).output', summary: 'One output of an indicator that has several.', level: 1, operands: 'an indicator', gives: 'a series', example: 'macd(12, 26, 9).histogram > 0' },
  { name: '!', form: '!a', summary: 'Holds where the condition does not; not ready where it is not ready.', level: 2, operands: 'a condition', gives: 'a condition', example: '!(close > open)' },
  { name: '-', form: '-a', summary: 'The number with the other sign.', level: 2, operands: 'a number', gives: 'a number', example: 'change(close) < -atr(14)' },
  { name: '+', form: '+a', summary: 'The number itself.', level: 2, operands: 'a number', gives: 'a number', example: 'change(close) > +atr(14)' },
  arithmetic('*', 3, 'Product.', 'volume > 3 * sma(volume, 20)'),
  arithmetic('/', 3, 'Quotient. 0 / 0 is not ready; anything else by 0 is infinite.', 'close / open > 1.01'),
  arithmetic('%', 3, 'What a division leaves over, with the sign of the left side.', 'minute % 15 == 0'),
  arithmetic('+', 4, 'Sum.', 'close > sma(20) + 2 * stdev(20)'),
  arithmetic('-', 4, 'Difference.', 'high - low > 2 * atr(14)'),
  comparison('>', 5, 'Above.', 'close > sma(50)'),
  comparison('>=', 5, 'Above or equal.', 'rsi(14) >= 50'),
  comparison('<', 5, 'Below.', 'rsi(14) < 30'),
  comparison('<=', 5, 'Below or equal.', 'low <= lowest(low, 20)[1]'),
  comparison('==', 6, 'Equal, to the last bit: for whole numbers, hardly for prices.', 'dayOfWeek == 1'),
  comparison('!=', 6, 'Not equal.', 'dayOfWeek != 0'),
  comparison('===', 6, 'The same as ==.', 'hour === 0'),
  comparison('!==', 6, 'The same as !=.', 'close !== open'),
  { name: '&&', form: 'a && b', summary: 'Both hold.', level: 7, operands: 'conditions', gives: 'a condition', example: 'rsi(14) < 30 && volume > sma(volume, 20)' },
  { name: '||', form: 'a || b', summary: 'One of them holds, or both.', level: 8, operands: 'conditions', gives: 'a condition', example: 'rsi(14) < 30 || close < bollinger(20, 2).lower' },
  { name: '?:', form: 'c ? a : b', summary: 'a where the condition c holds, b where it does not; not ready where c is not ready.', level: 9, operands: 'a condition, and two numbers or two conditions', gives: 'what a and b are', example: 'close > (close > sma(200) ? sma(20) : sma(50))' },
];
