// A process that analyses signals, for tests that kill it: takes in all signals, a few at a time, analyses what waits, says so when nothing does, and ends.
import { setTimeout as sleep } from 'node:timers/promises';
import { openAnalyzer, signalNumber } from './analysis.ts';

const { dataDir, url, key, count, share, mostCalls } = JSON.parse(process.argv[2]!) as { dataDir: string; url: string; key: string; count: number; share: { concurrency: number; calls: number; perMs: number }; mostCalls: number };

const one = openAnalyzer({ dataDir, gemini: { url, key }, share, rules: { mostCalls, timeoutMs: 300, circuit: { failures: 5, firstMs: 100, mostMs: 400, refusedMs: 100 } } });
one.analyzer.start();
for (let from = 0; from < count; from += 5) {
  one.take(Array.from({ length: Math.min(5, count - from) }, (_, at) => signalNumber(from + at)));
  await sleep(5);
}
while (one.analyzer.state().waiting + one.analyzer.state().running > 0) await sleep(20);
await one.close();
process.stdout.write(`${JSON.stringify({ done: true })}\n`);
