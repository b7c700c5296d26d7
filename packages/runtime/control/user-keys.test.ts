import { TradeMindError, type MachineKeys } from '@trademind/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_CAPS, DEFAULT_MODEL, DEFAULT_SHARE } from '../analysis/analyzer-options.ts';
import { systemWall } from '../time.ts';
import { UserKeys, type UserKeysOptions } from './user-keys.ts';

const NONE: MachineKeys = { keysVersion: 0, settingsVersion: 0, binance: null, gemini: null, notifications: null };
const PLATFORM: MachineKeys['gemini'] = { source: 'platform', baseUrl: 'https://cp.example/v1/machine/gemini', models: ['model-a', 'model-b'], limits: { concurrency: 2, callsPerMinute: 10, callsPerDay: 100, usdPerDay: 0.5 } };

let ending: AbortController;
let asked = 0;
let answer: () => MachineKeys;
let changes = 0;
const secrets = new Set<string>();
beforeEach(() => {
  vi.useFakeTimers();
  ending = new AbortController();
  [asked, changes] = [0, 0];
  secrets.clear();
  answer = () => NONE;
});
afterEach(() => { ending.abort(); vi.useRealTimers(); });

function start(own?: UserKeysOptions['own']): UserKeys {
  const keys = new UserKeys({
    secret: 'born-with', own, wall: { ...systemWall, random: () => 0.5 }, log: () => undefined, signal: ending.signal, secrets, onChange: () => { changes += 1; },
    controlPlane: { url: 'https://cp.example', call: (() => { asked += 1; return new Promise((resolve) => { resolve(answer()); }); }) as never },
  });
  void keys.run();
  return keys;
}
const away = () => { throw new TradeMindError({ code: 'control_plane_unreachable', message: 'It does not answer.' }); };

test('until they are known calls wait; then the user goes to Google with a key of their own, or to the platform with the machine’s secret, or nowhere', async () => {
  const keys = start();
  expect(keys.access()).toEqual({ state: 'waiting' });
  await vi.advanceTimersByTimeAsync(1);
  expect(keys.access()).toEqual({ state: 'none' });
  answer = () => ({ ...NONE, keysVersion: 1, gemini: { source: 'user', apiKey: 'mine' } });
  keys.heard({ keys_version: 1, settings_version: 0 });
  await vi.advanceTimersByTimeAsync(1);
  expect(keys.access()).toEqual({ state: 'ready', apiKey: 'mine', baseUrl: undefined });
  expect([keys.model(), keys.caps(), keys.share()]).toEqual([DEFAULT_MODEL, DEFAULT_CAPS, DEFAULT_SHARE]);
  answer = () => ({ ...NONE, keysVersion: 2, gemini: PLATFORM });
  keys.heard({ keys_version: 2, settings_version: 0 });
  await vi.advanceTimersByTimeAsync(1);
  expect(keys.access()).toEqual({ state: 'ready', apiKey: 'born-with', baseUrl: 'https://cp.example/v1/machine/gemini' });
  expect([keys.model(), keys.caps().usdPerDay, keys.share()]).toEqual(['model-a', 0.5, { concurrency: 2, calls: 10 }]);
  expect(changes).toBe(3);
});

test('the caps are the user\'s own, whichever key is used; with the platform\'s never more money than the plan has', async () => {
  answer = () => ({ ...NONE, gemini: { source: 'user', apiKey: 'mine' }, analysis: { tokensPerDay: 5, usdPerDay: 0.7 } });
  const keys = start();
  expect(keys.caps()).toEqual(DEFAULT_CAPS);
  await vi.advanceTimersByTimeAsync(1);
  expect(keys.caps()).toEqual({ tokensPerDay: 5, usdPerDay: 0.7 });
  const set = async (more: Partial<MachineKeys>, version: number) => {
    answer = () => ({ ...NONE, settingsVersion: version, ...more });
    keys.heard({ keys_version: 0, settings_version: version });
    await vi.advanceTimersByTimeAsync(1);
    return keys.caps();
  };
  expect(await set({ gemini: PLATFORM, analysis: { tokensPerDay: 5, usdPerDay: 0.7 } }, 1)).toEqual({ tokensPerDay: 5, usdPerDay: 0.5 });
  expect(await set({ gemini: PLATFORM, analysis: { tokensPerDay: 5, usdPerDay: 0.2 } }, 2)).toEqual({ tokensPerDay: 5, usdPerDay: 0.2 });
  expect(await set({ gemini: PLATFORM, analysis: null }, 3)).toEqual({ tokensPerDay: Infinity, usdPerDay: 0.5 });
  expect(await set({ gemini: { source: 'user', apiKey: 'mine' }, analysis: null }, 4)).toEqual(DEFAULT_CAPS);
});

test('all that is secret in what the user entrusted is known as such as soon as it is there', async () => {
  answer = () => ({
    ...NONE, gemini: { source: 'user', apiKey: 'of-gemini' }, binance: { apiKey: 'of-binance', secretKey: 'its-secret' }, notifications: { rules: [], channels: [
      { id: 'bot', name: 'Bot', kind: 'telegram', botToken: '123456:of-the-bot', chatId: '1' }, { id: 'hook', name: 'Hook', kind: 'webhook', url: 'https://hook.example/x', form: 'json', secret: 'whsec_x' },
    ] },
  });
  start();
  await vi.advanceTimersByTimeAsync(1);
  expect([...secrets].toSorted()).toEqual(['123456:of-the-bot', 'https://hook.example/x', 'its-secret', 'of-binance', 'of-gemini', 'whsec_x']);
});

test('they are fetched again for a newer version alone, and until the answer is as new as the beat said', async () => {
  const keys = start();
  await vi.advanceTimersByTimeAsync(1);
  keys.heard({ keys_version: 0, settings_version: 0 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect([asked, changes]).toEqual([1, 1]);
  keys.heard({ keys_version: 0, settings_version: 3 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(asked).toBeGreaterThan(2);
  answer = () => ({ ...NONE, settingsVersion: 3 });
  await vi.advanceTimersByTimeAsync(60_000);
  const enough = asked;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toBe(enough);
});

test('a control plane that is away leaves what is known, says so, and is asked until it answers', async () => {
  answer = () => ({ ...NONE, gemini: { source: 'user', apiKey: 'mine' } });
  const keys = start();
  await vi.advanceTimersByTimeAsync(1);
  answer = away;
  keys.heard({ keys_version: 1, settings_version: 0 });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(keys.access()).toMatchObject({ state: 'ready', apiKey: 'mine' });
  expect(keys.problem?.code).toBe('control_plane_unreachable');
  answer = () => ({ ...NONE, keysVersion: 1 });
  await vi.advanceTimersByTimeAsync(120_000);
  expect([keys.problem, keys.access()]).toEqual([null, { state: 'none' }]);
});

test('a key that the machine was given at birth goes before all others', async () => {
  answer = () => ({ ...NONE, gemini: PLATFORM });
  const keys = start({ apiKey: 'given', model: 'model-z' });
  expect(keys.access()).toMatchObject({ state: 'ready', apiKey: 'given' });
  await vi.advanceTimersByTimeAsync(1);
  expect([keys.access(), keys.model(), keys.share()]).toEqual([{ state: 'ready', apiKey: 'given', baseUrl: undefined }, 'model-z', DEFAULT_SHARE]);
});
