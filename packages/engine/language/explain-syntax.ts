/** A place in a source, what is wrong there, and what to write instead. */
export interface SyntaxFault { readonly start: number; readonly end: number; readonly message: string; readonly nextStep: string }

/** Signs that other languages and other keyboards have, and those of JavaScript that mean something else there: what is meant here. */
const SIGNS: Readonly<Record<string, string>> = {
  '=>': '>=', '=<': '<=', '<>': '!=', '=': '==', '&': '&&', '|': '||', ':=': '==',
  '≥': '>=', '≤': '<=', '≠': '!=', '≡': '==', '¬': '!', '∧': '&&', '∨': '||', '×': '*', '·': '*', '÷': '/', '−': '-', '–': '-', '—': '-', '√': 'sqrt(x)', '²': 'x * x',
  '“': '"', '”': '"', '„': '"', '‘': "'", '’': "'", '；': '&&', '，': ',', '（': '(', '）': ')',
};
const SIGN = new RegExp('=>|=<|<>|:=|(?<![=!<>])=(?![=])|(?<!&)&(?!&)|(?<!\\|)\\|(?!\\|)|[≥≤≠≡¬∧∨×·÷−–—√²“”„‘’；，（）]');

/** What none of it can do without: most sources have none of these, and need no closer look. */
const SUSPECT = /[=&|\u{80}-\u{10ffff}]|<>|\d,\d/u;

/** Words that people write between two values. */
const WORDS = new Map([
  ['and', '&&'], ['or', '||'], ['not', '!'], ['is', '=='], ['equals', '=='], ['equal', '=='], ['above', '>'], ['over', '>'], ['below', '<'], ['under', '<'], ['mod', '%'],
  ['cross', 'crossover(a, b)'], ['crosses', 'crossover(a, b)'], ['crossed', 'crossover(a, b)'], ['if', 'c ? a : b'], ['then', 'c ? a : b'], ['else', 'c ? a : b'],
]);

/** The operator or form that a word of plain speech stands for. */
export const operatorMeant = (word: string): string | undefined => WORDS.get(word.toLowerCase());

const EXAMPLE = 'Write one expression, such as close > sma(50) && rsi(14) < 30.';

/** The first sign in a source that is not part of the language but stands for one that is; text in quotes is passed over. */
export function misusedSign(text: string): SyntaxFault | undefined {
  if (!SUSPECT.test(text)) return undefined;
  const bare = text.replaceAll(/"[^"\n]*"|'[^'\n]*'|`[^`]*`/g, (quoted) => ' '.repeat(quoted.length));
  const found = SIGN.exec(bare);
  if (found === null) return groupedNumber(bare);
  const [sign] = found;
  return { start: found.index, end: found.index + sign.length, message: `\`${sign}\` is not part of the language. Did you mean ${SIGNS[sign]}?`, nextStep: EXAMPLE };
}

const GROUPED = /(?<![\w.])\d{1,3}(?:,\d{3})+(?![\w.])/;
const grouped = (text: string, index: number): SyntaxFault =>
  ({ start: index, end: index + text.length, message: 'a comma cannot part the digits of a number.', nextStep: `Write ${text.replaceAll(',', '_')}.` });

/** `1,000` outside of all brackets, where a comma can mean nothing else. */
function groupedNumber(text: string): SyntaxFault | undefined {
  const found = GROUPED.exec(text);
  if (found === null || /[([{]/.test(text.slice(0, found.index).replaceAll(/\([^()]*\)|\[[^[\]]*\]/g, ''))) return undefined;
  return grouped(found[0], found.index);
}

/**
 * Says in words of this language why a source is no expression, given where the parser stopped and what it said (nothing: an expression ended there, and more follows).
 */
export function explainSyntax(text: string, at: number, said: string | undefined): SyntaxFault {
  const fault = (start: number, end: number, message: string, nextStep = EXAMPLE): SyntaxFault => ({ start, end: Math.max(end, start + 1), message, nextStep });
  const rest = text.slice(at);
  const before = text.slice(0, at).trimEnd();
  const word = /^[\p{L}_$][\p{L}\p{N}_$]*/u.exec(rest)?.[0];
  // `a and b` stops at the word, `not a` behind it.
  const last = /^[\p{L}\p{N}_]/u.test(rest) ? /[\p{L}_][\p{L}\p{N}_]*$/u.exec(before)?.[0] : undefined;
  for (const [one, start] of [[word, at], [last, before.length - (last?.length ?? 0)]] as const) {
    const meant = one === undefined ? undefined : operatorMeant(one);
    if (meant !== undefined) return fault(start, start + one!.length, `\`${one}\` is not part of the language. Did you mean ${meant}?`);
  }

  const number = GROUPED.exec(text);
  if (number !== null && at >= number.index && at <= number.index + number[0].length) return grouped(number[0], number.index);
  const bracket = unbalanced(text);
  if (bracket !== undefined && (bracket.opens ? rest.trim() === '' : bracket.at === at)) {
    return bracket.opens
      ? fault(bracket.at, bracket.at + 1, `this \`${text[bracket.at]}\` is never closed.`, `Close it with \`${CLOSING[text[bracket.at]!]}\`.`)
      : fault(bracket.at, bracket.at + 1, `this \`${text[bracket.at]}\` closes nothing.`, 'Leave it out, or open one before it.');
  }
  if (/\d\s*%$/.test(before)) return fault(before.length - 1, before.length, '`%` is the rest of a division, not per cent.', 'Write a share as a number: 0.2, or 20 where a value is in points.');
  if (rest.trim() === '') return fault(at, at + 1, 'the expression ends where more is expected.');
  if (said === undefined) {
    if (last !== undefined && /^[\d.]/.test(rest)) return fault(at, at + 1, 'the expression ends before this.', `If ${last} is a function, its arguments stand in parentheses: ${last}(${/^[\d._]+/.exec(rest)![0]}).`);
    return fault(at, at + 1, 'the expression ends before this.', 'Join conditions with && or ||; give parts names in `let`.');
  }
  if (/[\p{L}\p{N}_)\]]$/u.test(before) && /^[\p{L}\p{N}_(]/u.test(rest) && /unexpected token/i.test(said)) return fault(at, at + 1, 'a comma or an operator is missing before this.');
  const token = /^(?:&&|\|\||[<>=!]==?|\S)/u.exec(rest)?.[0];
  return /unexpected token/i.test(said) && token !== undefined ? fault(at, at + token.length, `\`${token}\` cannot stand here.`) : fault(at, at + 1, `${said}.`);
}

const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** The first bracket that closes nothing, else the last that is never closed. */
function unbalanced(text: string): { at: number; opens: boolean } | undefined {
  const open: number[] = [];
  for (let index = 0; index < text.length; index++) {
    const letter = text[index]!;
    if (letter in CLOSING) open.push(index);
    else if (letter === ')' || letter === ']' || letter === '}') {
      if (CLOSING[text[open.at(-1) ?? -1] ?? ''] !== letter) return { at: index, opens: false };
      open.pop();
    }
  }
  const last = open.at(-1);
  return last === undefined ? undefined : { at: last, opens: true };
}
