import { beforeEach, expect, test } from 'vitest';
import { MarketClock } from './market-clock.ts';

let wall: number;
let clock: MarketClock;
const sample = (serverTime: number, rate = 1) => clock.set({ serverTime, rate, sentAt: wall, receivedAt: wall });
beforeEach(() => {
  wall = 1_000;
  clock = new MarketClock(() => wall);
});

test('market time runs at its rate, never goes back, and never far beyond what the exchange has said', () => {
  expect(clock.now()).toBe(0);
  clock.set({ serverTime: 1_000_000, rate: 60, sentAt: 900, receivedAt: 1_100 });
  expect(clock.now()).toBe(1_000_000);
  wall = 2_000;
  expect(clock.now()).toBe(1_060_000);
  expect(clock.seen()).toBe(1_000_000);
  clock.set({ serverTime: 1_030_000, rate: 60, sentAt: 1_990, receivedAt: 2_000 });
  expect(clock.now()).toBe(1_060_000);
  expect(clock.saw(1_070_000)).toBe(true);
  expect([clock.now(), clock.seen()]).toEqual([1_070_000, 1_070_000]);
  expect(clock.saw(9_000_000)).toBe(false);
  wall = 600_000;
  expect(clock.now()).toBe(1_070_000 + 5_000 * 60);
  expect(clock.seen()).toBe(1_070_000);
});

test.each([3_600_000, -3_600_000])('a time endpoint that is wrong by %i ms is not believed while the streams say otherwise', (skew) => {
  sample(1_000_000);
  for (let second = 1; second <= 60; second++) {
    wall += 1_000;
    expect(clock.saw(1_000_000 + second * 1_000 - 30)).toBe(true);
    expect(sample(1_000_000 + second * 1_000 + skew)).toBe(false);
  }
  expect(clock.now()).toBe(1_060_000);
  expect(clock.seen()).toBe(1_059_970);
  expect(sample(1_060_000)).toBe(true);
});

test('a moment is ahead when even carrying on for as long as the exchange has been silent does not reach it', () => {
  sample(1_000_000);
  expect([1_005_000, 1_005_001].map((time) => clock.isAhead(time))).toEqual([false, true]);
  wall += 600_000;
  expect([1_605_000, 1_605_001].map((time) => clock.isAhead(time))).toEqual([false, true]);
});

test('a leap that both the endpoint and the streams tell is believed at once', () => {
  sample(1_000_000);
  wall += 1_000;
  expect(clock.saw(5_000_000)).toBe(false);
  expect(clock.seen()).toBe(1_000_000);
  expect(sample(5_000_010)).toBe(true);
  expect(clock.now()).toBe(5_000_010);
});

test('a leap that the endpoint alone tells is believed when the streams are silent and it says so again and again', () => {
  sample(1_000_000);
  const believed: boolean[] = [];
  for (let second = 0; second < 20; second++) {
    wall += 1_000;
    believed.push(sample(5_000_000 + second * 1_000));
  }
  expect(believed.slice(0, 2)).toEqual([false, false]);
  expect(believed).toContain(true);
});

test('an exchange that stood still is believed: its time goes on from where it was', () => {
  sample(1_000_000);
  wall += 60_000;
  const after = [0, 1, 2, 3].map((second) => {
    wall += 1_000;
    return sample(1_001_000 + second * 1_000);
  });
  expect(after.at(-1)).toBe(true);
  expect(clock.now()).toBe(1_004_000);
  expect(clock.seen()).toBe(1_004_000);
});

test('another speed of the market is taken over', () => {
  sample(1_000_000);
  wall += 1_000;
  expect(sample(1_001_000, 60)).toBe(true);
  wall += 1_000;
  expect(clock.now()).toBe(1_061_000);
});
