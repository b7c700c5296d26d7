import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { readSettings } from './env.ts';

const jwks = JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'k', x: 'abc' }] });
const whole = {
  USER_ID: randomUUID(), MACHINE_ID: randomUUID(), SUPABASE_URL: 'https://x.supabase.co/', SUPABASE_PUBLISHABLE_KEY: 'sb_publishable_x',
  CONTROL_PLANE_URL: 'https://control.example.com', MACHINE_SECRET: 'a-secret-of-some-length', TICKET_JWKS: jwks,
};

test('what is required is enough; all else has the defaults of the contract', () => {
  expect(readSettings(whole)).toEqual({
    ...whole, SUPABASE_URL: 'https://x.supabase.co', TICKET_JWKS: JSON.parse(jwks) as unknown, MACHINE_REGION: 'sin', KLINE_INTERVAL: '5m', SCREENING_INTERVAL_MS: 60_000, ALLOWED_ORIGINS: [],
    DATA_DIR: '/data', RECORDING_MB: 0, BINANCE_REST_URL: 'https://data-api.binance.vision', BINANCE_STREAM_URL: 'wss://data-stream.binance.vision', PAPER_TRADING: true, LOG_LEVEL: 'info',
    HOST: '::', PORT: 8_080, METRICS_PORT: 9_091, METRICS_HOST: '127.0.0.1',
  });
});

test('the private port is not as open as the public one: on this computer alone, on Fly where its scraper comes from, else where it is told to be', () => {
  expect(readSettings(whole)).toMatchObject({ HOST: '::', METRICS_HOST: '127.0.0.1' });
  expect(readSettings({ ...whole, HOST: '0.0.0.0', FLY_MACHINE_ID: 'm1' }).METRICS_HOST).toBe('0.0.0.0');
  expect(readSettings({ ...whole, METRICS_HOST: 'fdaa::1', FLY_MACHINE_ID: 'm1' }).METRICS_HOST).toBe('fdaa::1');
});

test('the older name of the publishable key is understood, and an empty variable counts as absent', () => {
  const { SUPABASE_PUBLISHABLE_KEY, ...rest } = whole;
  const settings = readSettings({ ...rest, SUPABASE_ANON_KEY: SUPABASE_PUBLISHABLE_KEY, KLINE_INTERVAL: '', ALLOWED_ORIGINS: 'https://a.example, https://b.example' });
  expect(settings).toMatchObject({ SUPABASE_PUBLISHABLE_KEY, KLINE_INTERVAL: '5m', ALLOWED_ORIGINS: ['https://a.example', 'https://b.example'] });
});

test('everything that is wrong is listed at once, by name, and no value is repeated', () => {
  const { USER_ID: _, ...rest } = whole;
  const read = () => readSettings({ ...rest, MACHINE_SECRET: 'short-secret', PORT: '99999', KLINE_INTERVAL: '7m', TICKET_JWKS: '{"keys":[]}', PAPER_TRADING: 'maybe', BINANCE_STREAM_URL: 'https://stream' });
  expect(read).toThrow(expect.objectContaining({ code: 'environment_invalid', field: 'USER_ID' }));
  const message = (() => { try { read(); return ''; } catch (error) { return (error as Error).message; } })();
  for (const part of ['USER_ID is missing', 'MACHINE_SECRET must have at least 16 characters', 'PORT must be a whole number from 0 to 65535', 'KLINE_INTERVAL must be one of 1m', 'TICKET_JWKS must be', 'PAPER_TRADING must be true or false', 'BINANCE_STREAM_URL must be a URL that begins with wss://']) {
    expect(message).toContain(part);
  }
  expect(message).not.toContain('short-secret');
});
