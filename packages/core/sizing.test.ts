import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CPU_KINDS, DEFAULT_SIZE, monthlyPrice, REGIONS, sizeName, sizeProblem } from './sizing.ts';

test.each([
  [{ cpuKind: 'shared', cpus: 1, memoryMb: 256 }, 2.19],
  [{ cpuKind: 'shared', cpus: 1, memoryMb: 2048 }, 12.7],
  [{ cpuKind: 'shared', cpus: 2, memoryMb: 2048 }, 13.39],
  [{ cpuKind: 'shared', cpus: 8, memoryMb: 2048 }, 17.55],
  [{ cpuKind: 'performance', cpus: 2, memoryMb: 4096 }, 66],
] as const)('%o without a volume costs the list price in iad', (size, dollars) => {
  expect(monthlyPrice(size, 'iad', 0)).toBeCloseTo(dollars, 1);
});

test('more memory never costs less, in any region', () => {
  fc.assert(fc.property(fc.constantFrom(...CPU_KINDS), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 32 }), fc.constantFrom(...REGIONS), (cpuKind, cpus, steps, region) => {
    const price = (memoryMb: number) => monthlyPrice({ cpuKind, cpus, memoryMb }, region)!;
    expect(price(steps * 256 + 256)).toBeGreaterThanOrEqual(price(steps * 256));
  }));
});

test('a region without a known price has none', () => {
  expect(monthlyPrice(DEFAULT_SIZE, 'xyz')).toBeNull();
});

test.each([
  [{ cpuKind: 'shared', cpus: 3, memoryMb: 768 }, /vCPUs/],
  [{ cpuKind: 'shared', cpus: 1, memoryMb: 4096 }, /256 to 2048 MB/],
  [{ cpuKind: 'performance', cpus: 1, memoryMb: 1024 }, /2048 to 8192 MB/],
  [{ cpuKind: 'shared', cpus: 1, memoryMb: 300 }, /steps of 256/],
] as const)('%o is refused in words', (size, words) => {
  expect(sizeProblem(size)).toMatch(words);
});

test('the default size is valid and named as Fly names it', () => {
  expect(sizeProblem(DEFAULT_SIZE)).toBeNull();
  expect(sizeName(DEFAULT_SIZE)).toBe('shared-1x 512 MB');
});
