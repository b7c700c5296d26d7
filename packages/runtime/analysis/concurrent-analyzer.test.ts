import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AnalysisOutcome, Signal } from '@trademind/core';
import { CLOSE, openAnalyzer, signalNumber, storedMarket, traderDocument, type TestAnalyzer, type TestAnalyzerOptions } from '../../../tests/support/analysis.ts';
import { peaks, startTestGemini, type TestGemini } from '../../../tests/support/gemini.ts';
import { systemWall, type Wall } from '../time.ts';
import { CIRCUIT_TIMES } from './circuit.ts';
import { GeminiClient } from './gemini-client.ts';
import { levelsOf } from './levels.ts';
import type { ModelClient } from './model-client.ts';

/** Patient enough for a machine under load. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 60_000, interval: 10 });
/** Far from midnight, here and in California, whenever the tests run: what counts by the day counts by one. */
const noon: Wall = { ...systemWall, epoch: () => CLOSE + Math.round(performance.now()) };

let gemini: TestGemini;
let dataDir: string;
const open: { close(): Promise<void> }[] = [];
beforeEach(async () => {
  gemini = await startTestGemini();
  dataDir = mkdtempSync(join(tmpdir(), 'tm-analysis-'));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await gemini.close();
  rmSync(dataDir, { recursive: true });
});

function start(options: Partial<TestAnalyzerOptions> = {}, begin = true): TestAnalyzer {
  const one = openAnalyzer({ dataDir, gemini, wall: noon, ...options });
  let closed = false;
  const handle = { ...one, close: async () => { if (!closed) { closed = true; await one.close(); } } };
  open.push(handle);
  if (begin) one.analyzer.start();
  return handle;
}
/** The real client, whose answers are held back until they are released. */
function holding(): { client: ModelClient; release(): void } {
  const released = Promise.withResolvers<void>();
  const real = new GeminiClient();
  return {
    client: { generate: async (...asked) => { const answer = await real.generate(...asked); await released.promise; return answer; } },
    release: () => released.resolve(),
  };
}
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, at) => signalNumber(from + at));
const outcomeOf = (of: TestAnalyzer, signal: Signal) => of.analyzer.outcome(signal.id);
const reasonOf = (outcome: AnalysisOutcome | undefined) => (outcome?.kind === 'none' ? outcome.reason : outcome?.kind);

describe('a signal', () => {
  test('gets a decision of the model with the levels of the code, told and recorded once, and its call as a fact', async () => {
    const one = start();
    const signal = signalNumber(0);
    one.take([signal]);
    await eventually(() => one.told).toHaveLength(1);
    expect(one.recorded).toEqual(one.told);
    const outcome = outcomeOf(one, signal)!;
    expect(outcome).toEqual(one.told[0]);
    if (outcome.kind !== 'decision') throw new Error('no decision');
    const { decision } = outcome;
    expect(outcome).toMatchObject({ signalId: signal.id, traderId: signal.traderId, symbol: 'BTCUSDT', closeTime: CLOSE });
    expect(decision.metadata).toMatchObject({ model: 'gemini-3.5-flash-lite', prompt: 'signal-review/1', cached: false });
    expect(decision.keyLevels.stopLoss).toBeLessThan(signal.price);
    expect(decision.keyLevels.takeProfit).toHaveLength(3);
    expect(one.calls).toEqual([{
      id: expect.stringMatching(/^[0-9a-f-]{36}$/), signalId: signal.id, attempt: 1, model: 'gemini-3.5-flash-lite', promptVersion: 'signal-review/1', promptHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      startedAt: expect.any(Number), latencyMs: decision.metadata.latencyMs, tokensIn: expect.any(Number), tokensOut: expect.any(Number), nanoUsd: expect.any(Number), estimated: false, result: 'answered',
    }]);
    const [call] = one.calls;
    expect(call!.nanoUsd).toBe(call!.tokensIn * 300 + call!.tokensOut * 2_500);
    expect(decision.metadata.tokens).toBe(call!.tokensIn + call!.tokensOut);
    expect(one.analyzer.state()).toMatchObject({ waiting: 0, running: 0, today: { calls: 1, tokens: decision.metadata.tokens, usd: call!.nanoUsd / 1e9 } });
  });

  test('that is not to be analysed has its named reason at once, without a call', async () => {
    const one = start({ trader: (id) => (id === signalNumber(0).traderId ? undefined : traderDocument({ analysis: { enabled: id !== signalNumber(1).traderId } })) });
    const signals = [
      signalNumber(2, { origin: 'history' }), signalNumber(5, { suppressed: { code: 'cooldown', message: 'Within 3 candles of the one before.' } }), signalNumber(1), signalNumber(0), signalNumber(8, { phase: 'withdrawn' }),
    ];
    one.take(signals);
    expect(signals.map((signal) => reasonOf(outcomeOf(one, signal)))).toEqual(['history', 'suppressed', 'analysis_off', 'trader_gone', 'withdrawn']);
    expect(outcomeOf(one, signals[1]!)).toMatchObject({ message: 'Within 3 candles of the one before.' });
    expect(one.told).toHaveLength(5);
    expect(await gemini.journal()).toEqual([]);
  });

  test('may be acted upon only if the model says so, with the confidence that its trader asks for, before it expires', async () => {
    const answer = (decision: string, confidence: number) => JSON.stringify({
      keyObservations: ['a'], trend: 'bullish', momentum: 'strong', volatility: 'low', setup: 's', execution: 'e', invalidation: 'i', reasoning: 'r', decision, confidence,
    });
    const one = start({ document: traderDocument({ analysis: { minConfidence: 70 } }) });
    const actionable: (boolean | undefined)[] = [];
    for (const [at, [decision, confidence]] of ([['enter_trade', 70], ['enter_trade', 69], ['wait', 99], ['bad_setup', 99]] as const).entries()) {
      await gemini.setFaults([{ fault: 'answer', text: answer(decision, confidence) }]);
      one.take([signalNumber(at)]);
      await eventually(() => one.told).toHaveLength(at + 1);
      const outcome = one.told.at(-1)!;
      actionable.push(outcome.kind === 'decision' ? outcome.actionable : undefined);
    }
    expect(actionable).toEqual([true, false, false, false]);

    let now = CLOSE + 1_000;
    const held = holding();
    const late = start({ dataDir: join(dataDir, 'late'), marketNow: () => now, client: held.client });
    await gemini.setFaults([{ fault: 'answer', text: answer('enter_trade', 99) }]);
    const asked = (await gemini.journal()).length;
    late.take([signalNumber(9)]);
    await eventually(async () => (await gemini.journal()).length).toBe(asked + 1);
    now += 2 * 86_400_000;
    held.release();
    await eventually(() => late.told).toHaveLength(1);
    expect(late.told[0]).toMatchObject({ kind: 'decision', actionable: false });
  });

  test('whose candle closed without it is not analysed any more', async () => {
    const one = start({}, false);
    const forming = signalNumber(0, { phase: 'forming' });
    one.take([forming, signalNumber(1)]);
    one.take([{ ...forming, id: signalNumber(100).id, phase: 'withdrawn' }]);
    expect(reasonOf(outcomeOf(one, forming))).toBe('withdrawn');
    one.analyzer.start();
    await eventually(() => one.told).toHaveLength(3);
    expect(await gemini.journal()).toHaveLength(1);
  });

  test('that is too old, whose trader is gone, or that has too few candles is dropped, and that is said', async () => {
    const quiet = Array.from({ length: 400 }, (_, at) => ({ openTime: CLOSE - (400 - at) * 300_000, open: 1, high: 1, low: 1, close: 1, volume: 0, quoteVolume: 0, trades: 0, takerBuy: 0 }));
    const candles = storedMarket(400, '5m', ['BTCUSDT', 'ETHUSDT']);
    for (const candle of quiet) candles.append('FLATUSDT', '5m', candle);
    for (const candle of quiet.slice(-10)) candles.append('NEWUSDT', '5m', candle);
    const one = start({ candles, document: traderDocument({ expiry: { candles: 1 } }) }, false);
    const [fresh, old, gone, flat, few] = [signalNumber(0), signalNumber(12), signalNumber(1), signalNumber(3, { symbol: 'FLATUSDT', price: 1 }), signalNumber(6, { symbol: 'NEWUSDT', price: 1 })];
    one.take([fresh, old, gone, flat, few]);
    one.analyzer.setTraders([fresh.traderId]);
    one.analyzer.start();
    await eventually(() => one.told).toHaveLength(5);
    expect([fresh, old, gone, flat, few].map((signal) => reasonOf(outcomeOf(one, signal)))).toEqual(['decision', 'stale', 'trader_gone', 'no_levels', 'no_history']);
  });

  test('whose candle has not been stored yet waits for it', async () => {
    const candles = storedMarket(400, '5m', ['BTCUSDT']);
    const one = start({ candles });
    const signal = signalNumber(1);
    one.take([signal]);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(outcomeOf(one, signal)).toBeUndefined();
    for (const { symbol, interval, series } of storedMarket(400, '5m', ['ETHUSDT']).all()) candles.adopt(symbol, interval, series);
    await eventually(() => reasonOf(outcomeOf(one, signal))).toBe('decision');
  });

  test('asked twice, or asking what is being asked, costs one call', async () => {
    const one = start();
    const signal = signalNumber(0);
    const same = { ...signal, id: signalNumber(50).id };
    await gemini.setFaults([{ fault: 'slow', ms: 200, times: 1 }]);
    one.take([signal, same]);
    one.take([signal]);
    await eventually(() => one.told).toHaveLength(2);
    const decisions = [signal, same].map((of) => outcomeOf(one, of)!).map((outcome) => (outcome.kind === 'decision' ? outcome.decision : null)!);
    expect(decisions.filter(({ metadata }) => metadata.cached)).toHaveLength(1);
    expect(decisions[0]!.reasoning).toBe(decisions[1]!.reasoning);
    expect(await gemini.journal()).toHaveLength(1);
    const edited = { ...signal, id: signalNumber(51).id, traderVersion: 2 };
    one.take([edited]);
    await eventually(() => reasonOf(outcomeOf(one, edited))).toBe('decision');
    expect(await gemini.journal()).toHaveLength(2);
  });
});

describe('order and limits', () => {
  test('the highest priority goes first, then the newest candle; a latecomer overtakes who waits', async () => {
    const priorities = new Map([[signalNumber(0).traderId, 1], [signalNumber(1).traderId, 9], [signalNumber(2).traderId, 5]]);
    const held = holding();
    const one = start({ trader: (id) => traderDocument({ analysis: { priority: priorities.get(id)! } }), share: { concurrency: 1 }, client: held.client }, false);
    // 0 and 9 are of the first trader, 1 of the second, 2 and 11 of the third; 9 and 11 are one candle older.
    one.take([11, 9, 0, 2].map((n) => signalNumber(n)));
    one.analyzer.start();
    await eventually(async () => (await gemini.journal()).length).toBe(1);
    one.take([signalNumber(1)]);
    held.release();
    await eventually(() => one.told).toHaveLength(5);
    expect(one.told.map(({ signalId }) => signalId)).toEqual([2, 1, 11, 0, 9].map((n) => signalNumber(n).id));
  });

  test('never more at once nor in the window than the share, also right after a restart', async () => {
    const share = { concurrency: 4, calls: 12, perMs: 600 };
    await gemini.setFaults([{ fault: 'slow', ms: 40 }]);
    let one = start({ share });
    one.take(numbers(10));
    await eventually(() => one.told).toHaveLength(10);
    await one.close();
    one = start({ share });
    one.take(numbers(30, 10));
    await eventually(() => one.told).toHaveLength(30);
    const journal = await gemini.journal();
    expect(journal).toHaveLength(40);
    expect(peaks(journal, share.perMs).atOnce).toBeGreaterThan(1);
    expect(peaks(journal, share.perMs).atOnce).toBeLessThanOrEqual(4);
    expect(peaks(journal, share.perMs).inWindow).toBeLessThanOrEqual(12);
  });

  test('the caps on tokens and money are never exceeded, whatever the calls use', async () => {
    for (const caps of [{ tokensPerDay: 40_000, usdPerDay: 1e6 }, { tokensPerDay: 1e9, usdPerDay: 0.06 }]) {
      const one = start({ dataDir: join(dataDir, String(caps.tokensPerDay)), caps: () => caps });
      await gemini.setFaults([{ fault: 'no-usage', share: 0.1 }, { fault: 'cut', share: 0.05 }]);
      one.take(numbers(40));
      let most = { tokens: 0, usd: 0 };
      await eventually(() => {
        const { today } = one.analyzer.state();
        most = { tokens: Math.max(most.tokens, today.tokens), usd: Math.max(most.usd, today.usd) };
        return one.told.length;
      }).toBe(40);
      expect(most.tokens).toBeLessThanOrEqual(caps.tokensPerDay);
      expect(most.usd).toBeLessThanOrEqual(caps.usdPerDay);
      const reasons = one.told.map(reasonOf);
      expect(reasons).toContain('decision');
      expect(reasons).toContain('cap');
      expect(one.analyzer.problems()).toContainEqual({ code: 'analysis_cap', message: expect.stringContaining('Used today (UTC)') });
      expect(one.logged.filter(({ code }) => code === 'analysis_cap')).toHaveLength(1);
      await one.close();
    }
  });

  test('a cap that is raised lets analyses go on, and that it was reached is no problem any more', async () => {
    let usdPerDay = 0;
    const one = start({ caps: () => ({ tokensPerDay: Infinity, usdPerDay }) });
    one.take([signalNumber(0)]);
    await eventually(() => one.told.map(reasonOf)).toEqual(['cap']);
    expect(one.analyzer.problems()).toEqual([{ code: 'analysis_cap', message: expect.stringContaining('0 tokens, $0.0000 of $0;') }]);
    usdPerDay = 1;
    one.take([signalNumber(1)]);
    await eventually(() => one.told.map(reasonOf)).toEqual(['cap', 'decision']);
    expect(one.analyzer.problems()).toEqual([]);
  });

  test('the caps hold over a move to an empty disk: calls wait for what was used before, and each counts once however often it is learnt of', async () => {
    const caps = () => ({ tokensPerDay: 60_000, usdPerDay: 1e6 });
    const before = start({ caps });
    before.take(numbers(30));
    await eventually(() => before.told).toHaveLength(30);
    const used = before.analyzer.state().today;
    await before.close();

    let learning = true;
    const moved = start({ dataDir: join(dataDir, 'moved'), caps, learning: () => learning });
    moved.take(numbers(30, 30));
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect([moved.told, (await gemini.journal()).length]).toEqual([[], before.calls.length]);
    for (const calls of [before.calls.slice(2), before.calls, before.calls.slice(0, 3)]) expect(moved.analyzer.learn(calls)).toBe(true);
    expect(moved.analyzer.state().today).toEqual(used);
    learning = false;
    await eventually(() => moved.told).toHaveLength(30);
    expect(moved.told.map(reasonOf)).toContain('cap');
    expect(moved.analyzer.state()).toMatchObject({ caps: caps(), today: { calls: before.calls.length + moved.calls.length } });
    expect(await gemini.tokens()).toBeLessThanOrEqual(60_000);
  });

  test('a signal that another machine asked about too gets calls with ids of their own, so that all that was paid counts', async () => {
    const before = start();
    before.take([signalNumber(0)]);
    await eventually(() => before.told).toHaveLength(1);
    const moved = start({ dataDir: join(dataDir, 'moved') });
    moved.analyzer.learn(before.calls);
    moved.take([signalNumber(0)]);
    await eventually(() => moved.told).toHaveLength(1);
    expect(moved.calls).toMatchObject([{ signalId: signalNumber(0).id, attempt: 2 }]);
    expect(moved.analyzer.state().today).toMatchObject({ calls: 2, tokens: await gemini.tokens() });
  });

  test('the caps begin anew at midnight UTC, what was learnt of the day before with them; a quota of Google stays used up until midnight in California', async () => {
    let ahead = Date.parse('2026-11-26T23:59:00Z') - performance.now();
    const wall = { ...systemWall, epoch: () => Math.round(ahead + performance.now()) };
    const one = start({ wall, caps: () => ({ tokensPerDay: 50_000, usdPerDay: 1e6 }), trader: (id) => traderDocument({ expiry: '15m', analysis: { model: id === signalNumber(0).traderId ? 'gemini-3.8-flash' : undefined } }) });
    const used = { id: signalNumber(99).id, signalId: signalNumber(98).id, attempt: 1, model: 'm', promptVersion: 'p', promptHash: 'h', startedAt: wall.epoch(), latencyMs: 1, tokensIn: 1, tokensOut: 1, nanoUsd: 0, estimated: false, result: 'answered' };
    await gemini.setFaults([{ fault: 'day-limit', model: 'gemini-3.8-flash' }]);
    one.take([signalNumber(0)]);
    await eventually(() => reasonOf(outcomeOf(one, signalNumber(0)))).toBe('circuit');
    expect(outcomeOf(one, signalNumber(0))).toMatchObject({ message: expect.stringContaining('2026-11-27T08:00:00.000Z') });
    one.analyzer.learn([{ ...used, tokensIn: 49_000 }]);
    one.take([signalNumber(1)]);
    await eventually(() => reasonOf(outcomeOf(one, signalNumber(1)))).toBe('cap');
    ahead += 120_000;
    one.analyzer.learn([{ ...used, tokensIn: 49_000 }]);
    one.take([signalNumber(3), signalNumber(2)]);
    await eventually(() => [3, 2].map((n) => reasonOf(outcomeOf(one, signalNumber(n))))).toEqual(['circuit', 'decision']);
    expect(one.analyzer.state().today).toMatchObject({ day: '2026-11-27', calls: 1 });
  });

  test('a model whose price is not known is not asked; without a key nobody is, and with one that comes later they are', async () => {
    const one = start({ document: traderDocument({ analysis: { model: 'gemini-9-ultra' } }) });
    one.take([signalNumber(0)]);
    await eventually(() => one.told).toHaveLength(1);
    expect(one.told[0]).toMatchObject({ reason: 'no_price', message: expect.stringContaining('gemini-9-ultra') });

    let access: ReturnType<NonNullable<TestAnalyzerOptions['access']>> = { state: 'waiting' };
    const keyless = start({ dataDir: join(dataDir, 'key'), access: () => access });
    keyless.take(numbers(3));
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(keyless.told).toEqual([]);
    access = { state: 'ready', apiKey: gemini.key, baseUrl: gemini.url };
    keyless.analyzer.accessChanged();
    await eventually(() => keyless.told.map(reasonOf)).toEqual(['decision', 'decision', 'decision']);
    access = { state: 'none' };
    keyless.take(numbers(300, 3));
    await eventually(() => keyless.told.length).toBe(303);
    expect(keyless.told.slice(3).every((outcome) => reasonOf(outcome) === 'no_key')).toBe(true);
  });

  test('a share can be changed, and while it is paused nothing is asked', async () => {
    const one = start({ share: { calls: 1 } });
    one.analyzer.setPaused(true);
    one.take(numbers(4));
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(await gemini.journal()).toEqual([]);
    one.analyzer.setPaused(false);
    await eventually(() => one.told).toHaveLength(1);
    one.analyzer.setShare({ concurrency: 2, calls: 4 });
    await eventually(() => one.told).toHaveLength(4);
  });
});

describe('failures', () => {
  const circuit = { ...CIRCUIT_TIMES, firstMs: 150, mostMs: 300, refusedMs: 150 };

  test('of the model, the network and the clock are tried again, and so is one answer in a wrong form; what fails for good says why', async () => {
    const one = start({ rules: { circuit: { ...circuit, failures: 100 } } });
    const hasty = start({ dataDir: join(dataDir, 'hasty'), rules: { timeoutMs: 1_500, mostCalls: 20, circuit: { ...circuit, failures: 100 } } });
    const run = async (n: number, fault: Parameters<TestGemini['setFaults']>[0][number], by = one) => {
      await gemini.setFaults([fault]);
      const before = by.calls.length;
      by.take([signalNumber(n)]);
      await eventually(() => outcomeOf(by, signalNumber(n))).toBeDefined();
      return [reasonOf(outcomeOf(by, signalNumber(n))), by.calls.slice(before).map(({ result }) => result).join(' ')];
    };
    expect(await run(0, { fault: 'error', status: 503, times: 2 })).toEqual(['decision', 'server_error server_error answered']);
    expect(await run(1, { fault: 'cut', times: 1 })).toEqual(['decision', 'network answered']);
    // One hangs; a computer that stands still may let more run out.
    expect(await run(2, { fault: 'hang', times: 1 }, hasty)).toEqual(['decision', expect.stringMatching(/^(timeout )+answered$/)]);
    expect(await run(3, { fault: 'garbage', times: 1 })).toEqual(['decision', 'invalid answered']);
    expect(await run(4, { fault: 'wrong-schema' })).toEqual(['invalid_answer', 'invalid invalid']);
    expect(await run(5, { fault: 'error', status: 500 })).toEqual(['failed', 'server_error server_error server_error server_error']);
    expect(await run(6, { fault: 'blocked' })).toEqual(['refused', 'blocked']);
    expect(await run(7, { fault: 'error', status: 400 })).toEqual(['refused', 'bad_request']);
    expect(await run(8, { fault: 'broken-body', times: 1 })).toEqual(['decision', 'server_error answered']);
    expect(outcomeOf(one, signalNumber(4))).toMatchObject({ message: expect.stringContaining('keyObservations') });
    expect([...one.calls, ...hasty.calls].filter(({ result }) => ['timeout', 'network'].includes(result)).every(({ estimated, tokensOut }) => estimated && tokensOut === 8_192)).toBe(true);
    expect(one.calls.filter(({ result }) => result === 'server_error' || result === 'bad_request').map(({ tokensIn, estimated }) => [tokensIn > 0, estimated])).toContainEqual([false, false]);
  });

  test('a call whose time is over is ended at the model too, not only forgotten here', async () => {
    const one = start({ rules: { timeoutMs: 1_500, mostCalls: 20, circuit: { ...circuit, failures: 100 } } });
    await gemini.setFaults([{ fault: 'hang', times: 1 }]);
    one.take([signalNumber(0)]);
    await eventually(() => one.told.map(reasonOf)).toEqual(['decision']);
    expect(one.calls.map(({ result }) => result).join(' ')).toMatch(/^(timeout )+answered$/);
    await eventually(async () => { const [hung, ...later] = await gemini.journal(); return [hung?.outcome, later.at(-1)?.outcome]; }).toEqual(['aborted', 'answered']);
  });

  test('a limit per minute is waited for, by the whole model', async () => {
    let passed = 0;
    const one = start({ wall: { ...noon, epoch: () => noon.epoch() + passed } });
    await gemini.setFaults([{ fault: 'minute-limit', retryAfterSeconds: 600, times: 1 }]);
    one.take(numbers(1));
    await eventually(() => one.calls).toHaveLength(1);
    one.take(numbers(5, 1));
    expect(one.analyzer.problems()).toEqual([{ code: 'analysis_circuit', message: expect.stringMatching(/gemini-3.5-flash-lite is not asked until .*limit per minute/) }]);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect(await gemini.journal()).toHaveLength(1);
    passed = 602_000;
    await eventually(() => one.told).toHaveLength(6);
    expect(one.told.every((outcome) => reasonOf(outcome) === 'decision')).toBe(true);
    expect(one.analyzer.problems()).toEqual([]);
  });

  test('a quota of the day closes the model until midnight in California, over a restart too; other models go on', async () => {
    const of = (signal: Signal) => traderDocument({ expiry: '15m', analysis: { model: signal.traderId === signalNumber(0).traderId ? 'gemini-3.8-flash' : undefined } });
    const trader = (id: string) => of({ ...signalNumber(0), traderId: id });
    let one = start({ trader });
    await gemini.setFaults([{ fault: 'day-limit', model: 'gemini-3.8-flash' }]);
    one.take([signalNumber(0)]);
    await eventually(() => reasonOf(outcomeOf(one, signalNumber(0)))).toBe('circuit');
    expect(outcomeOf(one, signalNumber(0))).toMatchObject({ message: expect.stringContaining('asked again from 2026-10-11T07:00:00.000Z') });
    await one.close();
    one = start({ trader });
    one.take([signalNumber(3), signalNumber(1)]);
    await eventually(() => [3, 1].map((n) => reasonOf(outcomeOf(one, signalNumber(n))))).toEqual(['circuit', 'decision']);
    expect((await gemini.journal()).filter(({ model }) => model === 'gemini-3.8-flash')).toHaveLength(1);
  });

  test('a model that fails again and again is left alone for a while, tried once, and asked again when it answers', async () => {
    const one = start({ rules: { mostCalls: 40, circuit } });
    await gemini.setFaults([{ fault: 'error', status: 500, times: 7 }]);
    // Five open it with nothing else under way; then the sixth and the seventh are trials, each alone, although many wait.
    one.take(numbers(1));
    await eventually(() => one.calls.length).toBeGreaterThanOrEqual(5);
    one.take(numbers(7, 1));
    await eventually(() => one.told).toHaveLength(8);
    expect(one.told.every((outcome) => reasonOf(outcome) === 'decision')).toBe(true);
    const journal = await gemini.journal();
    const failures = journal.filter(({ fault }) => fault === 'error').map(({ at }) => at);
    expect(failures).toHaveLength(7);
    expect([failures[5]! - failures[4]! >= circuit.firstMs - 10, failures[6]! - failures[5]! >= circuit.mostMs - 10]).toEqual([true, true]);
    expect(one.logged.filter(({ code }) => code === 'analysis_circuit').map(({ level }) => level)).toContain('warn');
    expect(one.logged.at(-1)).toMatchObject({ message: 'The model gemini-3.5-flash-lite answers again.' });
  });

  test('with a refused key it is said; a new key is tried at once', async () => {
    let apiKey = 'wrong';
    const one = start({ access: () => ({ state: 'ready', apiKey, baseUrl: gemini.url }) });
    one.take([signalNumber(0)]);
    await eventually(() => one.analyzer.problems()).toEqual([{ code: 'analysis_circuit', message: expect.stringContaining('API key not valid') }]);
    expect(JSON.stringify([one.analyzer.problems(), one.logged])).not.toContain('wrong');
    apiKey = gemini.key;
    one.analyzer.accessChanged();
    await eventually(() => reasonOf(outcomeOf(one, signalNumber(0)))).toBe('decision');
  });

  test('other settings of the user close no circuit: the key that was refused is still the same', async () => {
    const one = start({ access: () => ({ state: 'ready', apiKey: 'wrong', baseUrl: gemini.url }) });
    one.analyzer.accessChanged();
    one.take([signalNumber(0)]);
    await eventually(() => one.analyzer.problems().length).toBe(1);
    const asked = (await gemini.journal()).length;
    one.analyzer.accessChanged();
    one.take([signalNumber(1)]);
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    expect([one.analyzer.problems().length, (await gemini.journal()).length]).toEqual([1, asked]);
  });

  test('of a client that breaks its word end as failures of that call', async () => {
    let [calls, never] = [0, false];
    const one = start({
      rules: { timeoutMs: 50, circuit: { ...circuit, failures: 100 } },
      client: {
        generate: () => {
          calls += 1;
          if (never) return new Promise(() => undefined);
          throw new TypeError('not a model error');
        },
      },
    });
    one.take([signalNumber(0)]);
    await eventually(() => one.told.map(reasonOf)).toEqual(['failed']);
    never = true;
    one.take([signalNumber(1)]);
    await eventually(() => one.told.map(reasonOf)).toEqual(['failed', 'failed']);
    expect(calls).toBe(8);
    expect(one.calls.map(({ result }) => result)).toEqual([...Array<string>(4).fill('network'), ...Array<string>(4).fill('timeout')]);
  });

  test('a full disk loses nothing and repeats nothing', async () => {
    const held = holding();
    const one = start({ client: held.client });
    const { file } = one.store;
    const transaction = file.transaction.bind(file);
    let full = false;
    file.transaction = (work) => {
      if (full) throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR' });
      return transaction(work);
    };
    one.take(numbers(3));
    await eventually(async () => (await gemini.journal()).length).toBe(3);
    full = true;
    held.release();
    await eventually(() => one.analyzer.problems()).toEqual([{ code: 'disk_failing', message: expect.stringContaining('disk is full') }]);
    await new Promise((resolve) => { setTimeout(resolve, 200); });
    expect(one.told).toEqual([]);
    full = false;
    await eventually(() => one.told).toHaveLength(3);
    expect(await gemini.journal()).toHaveLength(3);
    expect(one.analyzer.problems()).toEqual([]);
    expect(one.logged.filter(({ code }) => code === 'disk_failing')).toHaveLength(1);
  });
});

describe('the end of the program', () => {
  test('in order: calls under way may end, the others wait for the next start', async () => {
    const held = holding();
    let one = start({ share: { concurrency: 2 }, client: held.client });
    one.take(numbers(6));
    await eventually(async () => (await gemini.journal()).length).toBe(2);
    const closing = one.close();
    held.release();
    await closing;
    expect(one.told).toHaveLength(2);
    one = start();
    await eventually(() => one.told).toHaveLength(4);
    expect(await gemini.journal()).toHaveLength(6);
    expect(one.logged).toEqual([]);
  });

  test('in order, with a call that does not end: it is given up and made once more', async () => {
    let one = start({ rules: { graceMs: 50 } });
    await gemini.setFaults([{ fault: 'hang', times: 1 }]);
    one.take([signalNumber(0)]);
    await eventually(async () => (await gemini.journal()).length).toBe(1);
    await one.close();
    expect(one.calls.map(({ result }) => result)).toEqual(['aborted']);
    one = start();
    await eventually(() => one.told.map(reasonOf)).toEqual(['decision']);
  });

  test('in the middle of a call: it is made once more, and if that too is broken off, never again', async () => {
    await gemini.setFaults([{ fault: 'hang' }]);
    const interrupt = async () => {
      const one = start({ rules: { graceMs: 50 } });
      one.take([signalNumber(0)]);
      const before = (await gemini.journal()).length;
      await eventually(async () => (await gemini.journal()).length).toBe(before + 1);
      // As a kill leaves it: the file is closed, and nothing is written any more.
      one.store.close();
      open.splice(0);
      return one;
    };
    const killed = [await interrupt(), await interrupt()];
    await gemini.setFaults([]);
    const last = start();
    await eventually(() => last.told.map(reasonOf)).toEqual(['interrupted']);
    expect(killed[1]!.calls.map(({ result, estimated }) => [result, estimated])).toEqual([['interrupted', true]]);
    expect(last.logged[0]).toMatchObject({ code: 'analysis_recovered' });
    expect((await gemini.journal()).length).toBe(2);
    await Promise.all(killed.map((one) => one.analyzer.stop().catch(() => undefined)));
  });
});

test('the model has no say in levels, size or stops: what it adds is left out', async () => {
  const one = start();
  const signal = signalNumber(0);
  await gemini.setFaults([{
    fault: 'answer', text: JSON.stringify({
      keyObservations: ['ok'], trend: 'bullish', momentum: 'strong', volatility: 'low', setup: 's', execution: 'Use 100x leverage.', invalidation: 'i', reasoning: 'r', decision: 'enter_trade', confidence: 100,
      keyLevels: { entry: 1, stopLoss: 0.0001, takeProfit: [1e9], support: [], resistance: [] }, size: 1e9, stopLoss: 0, riskReward: 999,
    }),
  }]);
  one.take([signal]);
  await eventually(() => one.told).toHaveLength(1);
  const [outcome] = one.told;
  if (outcome?.kind !== 'decision') throw new Error('no decision');
  const atr = (outcome.decision.keyLevels.entry - outcome.decision.keyLevels.stopLoss) / 1.5;
  expect(outcome.decision.keyLevels.takeProfit).toEqual(levelsOf('long', signal.price, atr, [])!.takeProfit.map((price) => expect.closeTo(price, 4)));
  expect(outcome.decision.tradePlan.riskReward).toBe(2);
  expect(JSON.stringify(outcome)).not.toMatch(/999|1000000000|0\.0001/);
});
