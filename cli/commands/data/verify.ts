import { codeOf, sentenceOf } from '@trademind/core';
import { repairSeries, verifySeries, type Problem, type RepairResult, type SeriesKey, type SeriesReport } from '@trademind/runtime/archive';
import { EXIT } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { count, utc } from '../../output/format.ts';
import { createProgress } from '../../output/progress.ts';
import { createTerminal } from '../../output/terminal.ts';
import { chosenSeries, healedText, openArchive, openArchiveWriter, openHistoryExchange } from '../../services/archive.ts';
import { event, interruptible, type DataOptions } from './run.ts';

interface Options extends DataOptions { symbols?: string; interval?: string; repair?: boolean; complete?: boolean; exchange?: string }

/** `trademind data verify`: status 0 when every series is in order (or is now), 1 otherwise. */
export async function verifyCandles(options: Options, io: Io): Promise<number> {
  const keys = chosenSeries(openArchive(options.data, io), options);
  if (options.repair || options.complete) return interruptible(io, options.json === true, (signal) => repair(keys, options, io, signal));
  const archive = openArchive(options.data, io);
  const reports = keys.map((key) => told(verifySeries(archive, key), options, io));
  const wrong = reports.filter(({ problems }) => problems.length > 0).length;
  conclude(reports.length, wrong, options, io);
  if (wrong > 0 && !options.json) io.stderr('  → npx trademind data verify --repair mends them from the exchange\n');
  return wrong > 0 ? EXIT.failed : EXIT.ok;
}

async function repair(keys: readonly SeriesKey[], options: Options, io: Io, signal: AbortSignal): Promise<number> {
  const source = openHistoryExchange(options.exchange, io, signal);
  const writer = openArchiveWriter(options.data, io);
  let wrong = 0;
  try {
    for (const key of keys) {
      const before = verifySeries(writer.archive, key);
      const poor = options.complete === true && Object.values(before.absent).some((absent) => absent > 0);
      if (before.problems.length === 0 && !poor) {
        told(before, options, io);
        continue;
      }
      let failed = false;
      const progress = createProgress(`${key.symbol} ${key.interval}`, options.json === true, io);
      try {
        tellRepair(key, await repairSeries(key, { writer, source, signal, complete: options.complete === true, onProgress: (done, total) => progress.update({ done, total }) }), options, io);
      } catch (error) {
        signal.throwIfAborted();
        if (codeOf(error) !== 'exchange_refused') throw error;
        failed = true;
        if (options.json) event(io, 'failed', { ...key, code: codeOf(error), message: sentenceOf(error) });
        else io.stderr(`trademind: ${key.symbol} ${key.interval}: ${sentenceOf(error)}\n`);
      } finally {
        progress.end();
      }
      if (told(verifySeries(writer.archive, key), options, io).problems.length > 0 || failed) wrong++;
    }
  } finally {
    writer.close();
  }
  conclude(keys.length, wrong, options, io);
  return wrong > 0 ? EXIT.failed : EXIT.ok;
}

function told(report: SeriesReport, options: Options, io: Io): SeriesReport {
  if (options.json) {
    event(io, 'series', report);
    return report;
  }
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  const { symbol, interval, candles, from, to, gaps, absent, problems } = report;
  const facts = [
    from === null || to === null ? 'empty' : `${utc(from)} to ${utc(to)}, ${count(candles, 'candle')}`,
    gaps.length > 0 ? count(gaps.length, 'halt') : '', absent.quoteVolume > 0 ? `${count(absent.quoteVolume, 'candle')} without quote volume` : '',
  ].filter(Boolean).join(', ');
  line(`${problems.length === 0 ? c.green('ok   ') : c.red('wrong')} ${symbol} ${interval}  ${facts}`);
  for (const problem of problems) line(`        ${problemText(problem)}`);
  return report;
}

function problemText(problem: Problem): string {
  switch (problem.code) {
    case 'torn': return `${problem.period} ends half-written (a process was killed while it wrote)`;
    case 'damaged': return `${problem.period} is damaged in ${count(problem.damage.length, 'place')}, first at byte ${problem.damage[0]?.at}`;
    case 'missing': {
      const [first] = problem.ranges;
      return `${count(problem.count, 'candle')} missing in ${count(problem.ranges.length, 'stretch', 'stretches')}, first from ${utc(first!.from)} to ${utc(first!.to)}`;
    }
    case 'impossible': return `${count(problem.count, 'candle')} with values that cannot be, first at ${utc(problem.openTimes[0]!)}`;
  }
}

function tellRepair(key: SeriesKey, { healed, added, replaced, gaps }: RepairResult, options: Options, io: Io): void {
  if (options.json) {
    event(io, 'repaired', { ...key, healed: healed.map(healedText), added, replaced, gaps });
    return;
  }
  const did = [added > 0 ? `fetched ${count(added, 'candle')}` : '', replaced > 0 ? `replaced ${count(replaced, 'candle')}` : '', gaps > 0 ? `marked ${count(gaps, 'candle')} that the exchange never had` : ''].filter(Boolean);
  if (did.length > 0) io.stdout(`${key.symbol} ${key.interval}: ${did.join(', ')}.\n`);
}

function conclude(series: number, wrong: number, options: Options, io: Io): void {
  if (options.json) event(io, 'done', { series, wrong });
  else io.stdout(wrong === 0 ? `${series} series in order.\n` : `${wrong} of ${series} series not in order.\n`);
}
