import type { AnalysisOutcome, MachineStatus, MachineView, Signal } from '@trademind/core';
import type { Telling } from './machine-timeline.ts';
import type { Urls } from './lock.ts';

/** The first line of `--json`: everything a program needs to use the local cloud. */
export interface ReadyEvent {
  ready: true;
  controlPlane: string; dashboard: string; supabase: string; fly: string; exchange: string | null; gemini: string | null;
  user: { id: string; email: string; token: string };
  machine: { id: string; app: string | null; feed: string | null; health: string | null };
  market: string; speed: number; dataDir: string; publishableKey: string;
}

/** Every later line. */
export type DevEvent =
  | ({ event: 'signal' } & Signal)
  | ({ event: 'analysis' } & AnalysisOutcome)
  | { event: 'status'; phase: string; marketTime: number; rate: number; symbols: number; candles: number; signals: number; halted: string[]; rssMb: number }
  | { event: 'died'; name: string; how: string }
  | { event: 'restarted'; name: string; pid: number; tookMs: number }
  | { event: 'history'; matches: number; newest: readonly Signal[] }
  | { event: 'halted' | 'market-ended'; symbols: string[] }
  | { event: 'machine'; phase: string; message: string }
  | { event: 'stopping' }
  | { event: 'stopped' };

export function readyEvent(urls: Urls, user: ReadyEvent['user'], machine: MachineView, rest: Pick<ReadyEvent, 'market' | 'speed' | 'dataDir' | 'publishableKey'>): ReadyEvent {
  const { controlPlane, dashboard, supabase, fly, exchange, gemini } = urls;
  return {
    ready: true, controlPlane, dashboard, supabase, fly, exchange, gemini, user,
    machine: { id: machine.id, app: machine.app, feed: machine.feed, health: machine.health }, ...rest,
  };
}

/** The JSON line of something told about the machine; null when it has none of its own. */
export function eventOf(telling: Telling, live: number): DevEvent | null {
  switch (telling.type) {
    case 'signal': return { event: 'signal', ...telling.signal };
    case 'decision': return { event: 'analysis', ...telling.outcome };
    case 'history': return { event: 'history', matches: telling.status.traders.reduce((sum, { signals }) => sum + signals.history, 0), newest: telling.signals.slice(-3) };
    case 'halted': return { event: telling.all ? 'market-ended' : 'halted', symbols: [...telling.symbols] };
    case 'phase': return { event: 'machine', phase: telling.phase, message: telling.message };
    case 'screening': return telling.again ? { event: 'machine', phase: 'screening', message: 'The machine screens again.' } : null;
    case 'status': return telling.rare ? statusEvent(telling.status, live) : null;
    default: return null;
  }
}

function statusEvent(status: MachineStatus, signals: number): DevEvent {
  const { market } = status;
  return {
    event: 'status', phase: status.phase, marketTime: market.time, rate: market.rate, symbols: market.symbols, candles: market.candles, signals,
    halted: market.halted, rssMb: status.process.rssMb,
  };
}
