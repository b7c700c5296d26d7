import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { AnalysisOutcome } from '@trademind/core';
import type { Fault } from '../../local-cloud/gemini/faults.ts';
import { AnalysisQueue } from '../../packages/runtime/analysis/analysis-queue.ts';
import { GeminiClient } from '../../packages/runtime/analysis/gemini-client.ts';
import type { ModelClient } from '../../packages/runtime/analysis/model-client.ts';
import { StateStore } from '../../packages/runtime/state/state-store.ts';
import { systemWall } from '../../packages/runtime/time.ts';
import { CLOSE, openAnalyzer, signalNumber, storedMarket, traderDocument, type TestAnalyzer } from '../support/analysis.ts';
import { peaks, startTestGemini, type TestGemini } from '../support/gemini.ts';

const MOST_CALLS = 4;
const FAULTS: Fault[] = [
  { fault: 'minute-limit', retryAfterSeconds: 0, share: 0.05 }, { fault: 'error', status: 500, share: 0.1 }, { fault: 'error', status: 503, share: 0.05 }, { fault: 'garbage', share: 0.1 },
  { fault: 'wrong-schema', share: 0.05 }, { fault: 'broken-body', share: 0.05 }, { fault: 'cut', share: 0.05 }, { fault: 'no-usage', share: 0.05 }, { fault: 'hang', share: 0.03 },
];

const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'tm-analyzer-'));
  folders.push(made);
  return made;
};
const geminis: TestGemini[] = [];
const newGemini = async () => {
  const made = await startTestGemini({ latencyMs: 25, seed: 'chaos' });
  geminis.push(made);
  return made;
};
afterAll(async () => {
  for (const one of geminis) await one.close();
  for (const one of folders) rmSync(one, { recursive: true });
});

const running = async (gemini: TestGemini) => (await gemini.journal()).filter(({ endedAt }) => endedAt === null).length;

/** All calls, how often each question was asked at most, and how often it was answered. */
async function asked(gemini: TestGemini) {
  const journal = await gemini.journal();
  const count = (entries: typeof journal) => Math.max(0, ...Object.values(Object.groupBy(entries, ({ promptHash }) => promptHash ?? '')).map((all) => all!.length));
  return { journal, mostAsked: count(journal), mostAnswered: count(journal.filter(({ outcome, fault }) => outcome === 'answered' && fault === null)) };
}

type Step = { do: 'take'; count: number } | { do: 'wait'; ms: number } | { do: 'restart' } | { do: 'crash' } | { do: 'faults'; on: boolean } | { do: 'clock'; backMs: number };

test('random faults, restarts, crashes and a clock that is set back: every signal has exactly one outcome, no limit and no cap is ever exceeded', async () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), count: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 250 }) }) },
    { weight: 2, arbitrary: fc.constant({ do: 'crash' as const }) }, { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
    { weight: 1, arbitrary: fc.boolean().map((on) => ({ do: 'faults' as const, on })) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 600_000 }).map((backMs) => ({ do: 'clock' as const, backMs })) },
  );
  const seen = new Map<string, number>();
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 24 }), fc.constantFrom(45_000, 90_000, 1e9), async (steps, tokensPerDay) => {
    const [dataDir, gemini] = [folder(), await newGemini()];
    const share = { concurrency: 4, calls: 25, perMs: 500 };
    const candles = storedMarket();
    // A day of its own, so that no midnight comes between; market time runs a thousand times as fast, so that some signals grow old.
    const began = performance.now();
    let setBack = 0;
    const wall = { ...systemWall, epoch: () => Math.round(CLOSE + performance.now() - began - setBack) };
    const lives: TestAnalyzer[] = [];
    let live: TestAnalyzer;
    let kill = new AbortController();
    const begin = () => {
      kill = new AbortController();
      const { signal: killed } = kill;
      const real = new GeminiClient();
      const client: ModelClient = { generate: (request, access, signal) => real.generate(request, access, AbortSignal.any([signal, killed])) };
      live = openAnalyzer({
        dataDir, gemini, candles, wall, client, share, caps: () => ({ tokensPerDay, usdPerDay: 1e6 }), marketNow: () => Math.round(CLOSE + (performance.now() - began) * 1_000), rate: 1_000,
        trader: (id) => traderDocument(id === signalNumber(0).traderId ? { expiry: '1h' } : id === signalNumber(1).traderId ? { analysis: { priority: 9 } } : {}),
        rules: { mostCalls: MOST_CALLS, timeoutMs: 300, circuit: { failures: 5, firstMs: 50, mostMs: 200, refusedMs: 50 }, graceMs: 20 },
      });
      lives.push(live);
      live.analyzer.start();
    };
    begin();
    let taken = 0;
    await gemini.setFaults(FAULTS);
    for (const one of steps) {
      if (one.do === 'take') live!.take(Array.from({ length: one.count }, () => signalNumber(taken++)));
      if (one.do === 'wait') await sleep(one.ms);
      if (one.do === 'faults') await gemini.setFaults(one.on ? FAULTS : []);
      if (one.do === 'clock') setBack += one.backMs;
      if (one.do === 'restart' || one.do === 'crash') {
        // A crash: the file takes nothing more, and the connections end.
        if (one.do === 'crash') live!.store.close();
        kill.abort();
        await live!.analyzer.stop();
        if (one.do === 'restart') live!.store.close();
        await expect.poll(() => running(gemini), { timeout: 10_000, interval: 5 }).toBe(0);
        begin();
      }
    }
    await gemini.setFaults([]);
    await expect.poll(() => live!.analyzer.state(), { timeout: 20_000, interval: 20 }).toMatchObject({ waiting: 0, running: 0 });
    const { used, outcomes } = ((queue) => ({ used: queue.used('2026-10-10'), outcomes: queue.outcomes(1_000) }))(new AnalysisQueue(live!.store.file));
    await live!.close();

    expect(outcomes.map(({ signalId }) => signalId).sort()).toEqual(Array.from({ length: taken }, (_, n) => signalNumber(n).id).sort());
    // What was recorded in the same transactions, over all lives, is the same and nothing twice.
    const recorded = lives.flatMap((life) => life.recorded);
    expect(recorded.map((outcome) => JSON.stringify(outcome)).sort()).toEqual(outcomes.map((outcome) => JSON.stringify(outcome)).sort());
    for (const outcome of outcomes) seen.set(outcome.kind === 'none' ? outcome.reason : 'decision', (seen.get(outcome.kind === 'none' ? outcome.reason : 'decision') ?? 0) + 1);

    const { journal, mostAsked } = await asked(gemini);
    expect(mostAsked).toBeLessThanOrEqual(MOST_CALLS);
    expect(peaks(journal, share.perMs).atOnce).toBeLessThanOrEqual(4);
    expect(peaks(journal, share.perMs).inWindow).toBeLessThanOrEqual(share.calls);
    expect(used.calls).toBeGreaterThanOrEqual(journal.length);
    expect(used.tokens).toBeLessThanOrEqual(tokensPerDay);
    expect(await gemini.tokens()).toBeLessThanOrEqual(used.tokens);
    expect(used.reserved).toEqual({ tokens: 0, nanoUsd: 0 });
  }), { numRuns: 8, endOnFailure: true });
  process.stderr.write(`analyzer chaos: ${JSON.stringify(Object.fromEntries(seen))}\n`);
  expect(seen.get('decision')).toBeGreaterThan(50);
}, 240_000);

test('a process killed again and again at random moments analyses every signal, none too often, never more at once or in the window than it may', async () => {
  const [dataDir, gemini, count, kills] = [folder(), await newGemini(), 120, 12];
  const share = { concurrency: 4, calls: 40, perMs: 1_000 };
  await gemini.setFaults(FAULTS);
  const argument = JSON.stringify({ dataDir, url: gemini.url, key: gemini.key, count, share, mostCalls: MOST_CALLS });
  const run = () => spawn(process.execPath, [join(import.meta.dirname, '../support/analyzer-main.ts'), argument], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (let n = 0; n < kills; n++) {
    const calls = (await gemini.journal()).length;
    const victim = run();
    // At any moment from its first lines on; most while it calls.
    if (n > 2) await expect.poll(async () => (await gemini.journal()).length > calls || victim.exitCode !== null, { timeout: 20_000, interval: 5 }).toBe(true);
    await sleep(Math.random() * (n > 2 ? 200 : 500));
    victim.kill('SIGKILL');
    if (victim.exitCode === null && victim.signalCode === null) await once(victim, 'exit');
  }
  await gemini.setFaults([]);
  const last = run();
  let errors = '';
  last.stderr.on('data', (chunk: Buffer) => { errors += chunk.toString(); });
  const [code] = (await once(last, 'exit')) as [number | null];
  expect([code, errors]).toEqual([0, '']);

  const store = new StateStore({ dataDir, epoch: Date.now, outbox: true });
  const queue = new AnalysisQueue(store.file);
  const outcomes: (AnalysisOutcome | undefined)[] = Array.from({ length: count }, (_, n) => queue.outcome(signalNumber(n).id));
  const reasons = Object.groupBy(outcomes, (outcome) => (outcome?.kind === 'none' ? outcome.reason : outcome?.kind ?? 'none'));
  const calls = Array.from({ length: count }, (_, n) => queue.calls(signalNumber(n).id));
  expect(queue.counts()).toMatchObject({ waiting: 0, claimed: 0 });
  expect(queue.outcomes(1_000)).toHaveLength(count);
  expect(outcomes.every((outcome) => outcome !== undefined)).toBe(true);
  expect(Math.max(...calls.map((all) => all.length))).toBeLessThanOrEqual(MOST_CALLS);
  expect(Math.max(...calls.map((all) => all.filter(({ result }) => result === 'answered').length))).toBe(1);
  expect(Math.max(...calls.map((all) => all.filter(({ result }) => result === 'interrupted').length))).toBeLessThanOrEqual(2);
  store.close();

  const { journal, mostAsked, mostAnswered } = await asked(gemini);
  process.stderr.write(`analyzer kills: ${kills}; calls ${journal.length}; broken off ${calls.flat().filter(({ result }) => result === 'interrupted').length}; outcomes ${JSON.stringify(Object.fromEntries(Object.entries(reasons).map(([reason, all]) => [reason, all!.length])))}\n`);
  expect(calls.flat().length).toBeGreaterThanOrEqual(journal.length);
  expect(mostAsked).toBeLessThanOrEqual(MOST_CALLS);
  // An answer that a kill kept from being written is asked for once more, at most twice; one that came too late, again.
  const mostLate = Math.max(...calls.map((all) => all.filter(({ result }) => result === 'timeout').length));
  expect(mostAnswered).toBeLessThanOrEqual(2 + mostLate);
  expect(peaks(journal, share.perMs).atOnce).toBeLessThanOrEqual(4);
  expect(peaks(journal, share.perMs).inWindow).toBeLessThanOrEqual(share.calls);
}, 180_000);
