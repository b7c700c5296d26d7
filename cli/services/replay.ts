import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TradeMindError, type Interval, type TraderInput } from '@trademind/core';
import { openReplay, startLocal } from '@trademind/runtime';
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
  traders: readonly TraderInput[];
  json: boolean;
}

/** Screens a recorded session again, from nothing: what it finds, and at the end what was played. Nothing is kept. */
export async function replaySession({ file, speed, interval, traders, json }: ReplaySessionOptions, io: Io): Promise<number> {
  const replay = await openReplay(file, speed === undefined ? {} : { speed });
  if (!replay.hasAnswers) {
    throw new TradeMindError({
      code: 'recording_frames_only', message: `${file} holds frames, but nothing that the exchange answered: its symbols and history are not known.`,
      nextStep: 'Replay a session that `trademind local --record` has recorded.',
    });
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'trademind-replay-'));
  const shutdown = listenForShutdown(() => process.exit(EXIT.interrupted), io.now);
  try {
    const machine = await startLocal({ dataDir, interval, exchange: replay.exchange, wall: replay.wall, traders });
    let signals = 0;
    const end = followSource(machine.source, printFacts(json, io));
    const endCount = machine.source.subscribe((event) => { if (event.type === 'signal') signals += 1; });
    const report = await replay.run(shutdown.signal);
    end();
    endCount();
    await machine.stop();
    if (json) io.stdout(`${JSON.stringify({ event: 'replayed', ...report, signals })}\n`);
    else io.stdout(`Replayed ${report.frames} frames of ${(report.coversMs / 1_000).toFixed(1)} s${report.torn ? ', up to where the file is torn' : ''}: ${signals} signals.\n`);
    return shutdown.by() === null ? EXIT.ok : EXIT.interrupted;
  } finally {
    shutdown.dispose();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
