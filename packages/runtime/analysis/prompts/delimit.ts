export const DATA_BEGIN = '<<<DATA';
export const DATA_END = 'DATA>>>';

/**
 * A value as JSON between two marks that nothing inside it can contain: angle brackets and all beyond plain ASCII (Unicode look-alikes, invisible letters, changes of writing direction) are
 * written as \u escapes. What it says is unchanged: JSON.parse of the part between the marks gives the value back.
 */
export function delimited(value: unknown): string {
  const json = JSON.stringify(value).replace(/[<>\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `${DATA_BEGIN}\n${json}\n${DATA_END}`;
}
