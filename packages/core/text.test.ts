import { expect, test } from 'vitest';
import { cutText } from './text.ts';

test('a text is cut to the length asked for, says that it was, and never ends in half a character', () => {
  expect(cutText('short', 5)).toBe('short');
  expect(cutText('longer', 5)).toBe('long…');
  for (let most = 1; most < 12; most++) {
    const cut = cutText('🙂'.repeat(6), most);
    expect(cut.length).toBeLessThanOrEqual(most);
    expect(cut.isWellFormed()).toBe(true);
  }
});
