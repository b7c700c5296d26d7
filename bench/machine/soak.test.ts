import { expect, test } from 'vitest';
import { slope } from './soak.ts';

test('growth is the line of least squares: exact on a line, none on what only wavers', () => {
  expect(slope([[0, 3], [1, 5], [2, 7]])).toBeCloseTo(2);
  expect(slope([[0, 1], [1, 2], [2, 2], [3, 1]])).toBeCloseTo(0);
});
