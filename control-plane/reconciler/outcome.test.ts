import { TradeMindError } from '@trademind/core';
import { FLY_ERROR_CODES, FlyError, type FlyErrorCode } from '@trademind/fly';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DatabaseError } from '../database/errors.ts';
import { SETTLED_LOOK_MS, outcomeOfError, retryDelay, settle, type Outcome } from './outcome.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const fresh = { attempts: 0, last_error: null, generation: 4 };
const flyError = (code: FlyErrorCode, more: { retryAfterMs?: number } = {}) => new FlyError({ code, message: `Fly said ${code}`, nextStep: 'x', retryable: true, ...more });

test('each of the four outcomes says when to look again and what the row keeps', () => {
  const outcomes: Outcome[] = [
    { kind: 'done' }, { kind: 'requeue', afterMs: 400 },
    { kind: 'retryable', trouble: { code: 'fly_unavailable', message: 'No answer.' } },
    { kind: 'terminal', trouble: { code: 'fly_invalid', message: 'Refused.', nextStep: 'Ask the operator.' } },
  ];
  const [done, requeue, retryable, terminal] = outcomes.map((outcome) => settle(outcome, fresh, NOW, 0.5));
  expect(done).toEqual({ nextLookMs: SETTLED_LOOK_MS, patch: { attempts: 0, last_error: null, observed_generation: 4 }, events: [] });
  expect(requeue).toEqual({ nextLookMs: 400, patch: {}, events: [] });
  expect(retryable).toMatchObject({ nextLookMs: 375, patch: { attempts: 1, last_error: { code: 'fly_unavailable', message: 'No answer.' } }, events: [{ kind: 'trouble', message: 'No answer.' }] });
  expect(terminal).toMatchObject({ nextLookMs: 300_000, patch: { last_error: { nextStep: 'Ask the operator.' } }, events: [{ kind: 'failed', message: 'Refused. Ask the operator.' }] });
});

test('the same trouble is told once, another one again', () => {
  const outcome: Outcome = { kind: 'retryable', trouble: { code: 'fly_capacity', message: 'No room.' } };
  const again = { attempts: 3, last_error: { code: 'fly_capacity', message: 'No room.', at: 'x' }, generation: 1 };
  expect(settle(outcome, again, NOW, 0.5).events).toEqual([]);
  expect(settle(outcome, { ...again, last_error: { ...again.last_error, code: 'fly_unavailable' } }, NOW, 0.5).events).toHaveLength(1);
});

test('the back-off grows, stays below its cap, and keeps at least half of it', () => {
  fc.assert(fc.property(fc.nat(60), fc.integer({ min: 1_000, max: 600_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempts, cap, random) => {
    const delay = retryDelay(attempts, cap, random);
    expect(delay).toBeLessThanOrEqual(cap);
    expect(delay).toBeGreaterThanOrEqual(Math.min(cap, 500) / 2 - 1);
    expect(retryDelay(attempts + 1, cap, random)).toBeGreaterThanOrEqual(delay);
  }));
});

test.each(FLY_ERROR_CODES.map((code) => ({ code, kind: ['fly_forbidden', 'fly_invalid'].includes(code) ? 'terminal' : 'retryable' })))('$code is $kind', ({ code, kind }) => {
  const outcome = outcomeOfError(flyError(code));
  expect(outcome.kind).toBe(kind);
  expect(outcome).toMatchObject({ trouble: { code, message: expect.stringMatching(/^[A-Z].*\.( Fly said .*)?$/) as string } });
});

test('when Fly says how long to wait, that is waited', () => {
  const outcome = outcomeOfError(flyError('fly_rate_limited', { retryAfterMs: 9_000 }));
  expect(settle(outcome, fresh, NOW, 0).nextLookMs).toBe(9_000);
});

test('a database that is away is retried soon; our own refusals need somebody; what nobody expected is retried and its words stay in the log', () => {
  expect(outcomeOfError(new DatabaseError({ code: 'database_unavailable', message: 'away', status: 503 }))).toMatchObject({ kind: 'retryable', capMs: 5_000 });
  expect(outcomeOfError(new TradeMindError({ code: 'app_name_taken', message: 'taken', nextStep: 'rename' }))).toMatchObject({ kind: 'terminal', trouble: { nextStep: 'rename' } });
  const unexpected = outcomeOfError(new Error('password=hunter2'));
  expect(unexpected.kind).toBe('retryable');
  expect(JSON.stringify(unexpected)).not.toContain('hunter2');
});
