import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Interval, TraderInput } from '@trademind/core';
import { STARTER_TRADERS } from '@trademind/engine';
import { countRecording, openReplay, startLocal, type RecordingCounts, type Replay } from '@trademind/runtime';
import { listenForShutdown } from '../dev/shutdown.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { printFacts } from '../output/facts.ts';
import { followSource } from './facts.ts';

export interface ReplaySessionOptions {
  file: string;
  /** As fast as it goes when undefined. */
  speed: number | undefined;
  interval: Interval;
  /** Those of the session when undefined. */
  traders: readonly TraderInput[] | undefined;
  json: boolean;
}

/**
 * Screens a recorded session again, from nothing: what it finds, and at the end what was played. Nothing is kept. A recording of frames alone, without what the
 * exchange answered (its symbols, history), is counted instead.
 */
export async function replaySession(options: ReplaySessionOptions, io: Io): Promise<number> {
  const { file, speed } = options;
  const shutdown = listenForShutdown(() => process.exit(EXIT.interrupted), io.now);
  try {
    const replay = await openReplay(file, speed === undefined ? {} : { speed });
    if (replay.hasAnswers) await screen(replay, options, io, shutdown.signal);
    else if (!options.json) io.stderr('This recording holds frames, but nothing that the exchange answered: its frames are read and counted, and nothing is screened.\n');
    if (!shutdown.signal.aborted) tellCounts(await countRecording(file, replay.hasAnswers || speed === undefined ? {} : { speed }, shutdown.signal), options.json, io);
    return shutdown.by() === null ? EXIT.ok : EXIT.interrupted;
  } finally {
    shutdown.dispose();
  }
}

async function screen(replay: Replay, { interval, traders, json }: ReplaySessionOptions, io: Io, signal: AbortSignal): Promise<void> {
  const { memberships } = replay;
  if (memberships.isEmpty) io.stderr('This recording does not say whom its traders screened: their universes are chosen by their rules, from the volumes of closed candles.\n');
  const session = memberships.traders.map(({ document }) => document);
  const dataDir = mkdtempSync(join(tmpdir(), 'trademind-replay-'));
  try {
    const machine = await startLocal({ dataDir, interval, exchange: replay.exchange, wall: replay.wall, recorded: memberships, traders: traders ?? (session.length > 0 ? session : STARTER_TRADERS) });
    let signals = 0;
    const end = followSource(machine.source, printFacts(json, io));
    const endCount = machine.source.subscribe((event) => { if (event.type === 'signal') signals += 1; });
    const report = await replay.run(signal);
    end();
    endCount();
    await machine.stop();
    if (json) io.stdout(`${JSON.stringify({ event: 'replayed', ...report, signals })}\n`);
    else io.stdout(`Replayed ${report.frames} frames of ${(report.coversMs / 1_000).toFixed(1)} s${report.torn ? ', up to where the file is torn' : ''}: ${signals} signals.\n`);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** What the client made of the frames. */
function tellCounts(counts: RecordingCounts, json: boolean, io: Io): void {
  if (json) {
    io.stdout(`${JSON.stringify({ event: 'counted', ...counts })}\n`);
    return;
  }
  const { frames, parsed, coversMs, torn, byType, digest } = counts;
  io.stdout(`Frames: ${frames} of ${(coversMs / 1_000).toFixed(1)} s${torn ? ', up to where the file is torn' : ''}; parsed ${parsed}, unknown ${byType.unknown ?? 0}, malformed ${byType.malformed ?? 0}.\n`
    + `  by type: ${Object.entries(byType).map(([kind, count]) => `${kind} ${count}`).join(', ')}\n  digest of all that the client told: ${digest}\n`);
}
