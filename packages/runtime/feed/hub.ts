import type { FeedFrame, MachineCommand } from '@trademind/core';
import { commandsFor, perform, type CommandHandlers } from './commands.ts';
import type { Gate, Grant } from './gate.ts';
import { LaneSet, symbolsKey } from './lane-set.ts';
import type { FeedLimits, WebSocketServerOptions } from './options.ts';
import { explained } from './rest.ts';
import { FrameRing } from './ring.ts';
import type { FeedEvent, FeedSource } from './source.ts';

const SNAPSHOTS_KEPT = 16;

/** What all connections share. */
export interface Hub {
  readonly ring: FrameRing;
  readonly lanes: LaneSet;
  readonly gate: Gate;
  readonly limits: FeedLimits;
  now(): number;
  /** What may wait in one client's socket now, in bytes. */
  bufferedBytes(): number;
  /** Serialises a frame that is for one client and takes no number of its own; `seq` says up to where the client has got all. */
  frame<T extends FeedFrame['type']>(type: T, data: Extract<FeedFrame, { type: T }>['data'], seq?: number): string;
  snapshot(symbols: readonly string[] | undefined): Buffer;
  hello(grant: Grant, token: string, expiresAt: number, resumed: boolean): string;
  /** The number to go on after, or undefined when only a snapshot helps. */
  resumeAt(epoch: string | undefined, seq: number | undefined): number | undefined;
  /** Carries out a command of the machine. */
  perform(command: MachineCommand, grant: Grant): Promise<unknown>;
  onSent(): void;
  onGap(): void;
  onRefused(reason: string): void;
  onFailure(error: unknown): void;
}

export interface HubOptions extends Pick<WebSocketServerOptions, 'source' | 'now' | 'commands' | 'audit'> {
  gate: Gate;
  limits: FeedLimits;
  /** How many clients there are now. */
  clients: () => number;
  onRefused: (reason: string) => void;
  onFailure: (error: unknown) => void;
}

/** Numbers and serialises every event once, from now on until `stop`, and hands it to those who listen. */
export function createHub(options: HubOptions): { hub: Hub; counts: { framesSent: number; gaps: number }; stop(): void } {
  const { source, now, gate, limits, clients, onRefused, onFailure, audit = () => undefined } = options;
  const ring = new FrameRing(limits.ringFrames, limits.ringBytes);
  const lanes = new LaneSet(ring, source.bootId);
  const counts = { framesSent: 0, gaps: 0 };
  const handlers: CommandHandlers = { explain: ({ trader, symbol }) => explained(source, trader, symbol), ...options.commands };
  /** Made since the last event, by symbols: clients that come at the same time get the same bytes. */
  const snapshots = new Map<string, Buffer>();

  const hub: Hub = {
    ring, lanes, gate, limits, now, onRefused, onFailure,
    bufferedBytes: () => Math.min(limits.bufferedBytes, limits.allBufferedBytes / Math.max(1, clients())),
    frame: (type, data, seq = ring.last) => JSON.stringify({ v: 1, epoch: source.bootId, seq, type, data }),
    snapshot: (symbols) => {
      const key = symbolsKey(symbols);
      let bytes = snapshots.get(key);
      if (!bytes) {
        if (snapshots.size >= SNAPSHOTS_KEPT) snapshots.clear();
        snapshots.set(key, bytes = Buffer.from(hub.frame('snapshot', snapshotOf(source, symbols, limits.snapshotSignals))));
      }
      return bytes;
    },
    hello: (grant, session, expiresAt, resumed) => hub.frame('hello', {
      machineId: source.machineId, userId: source.userId, scopes: [...grant.scopes], commands: commandsFor(grant.scopes, handlers), session, expiresAt, resumed,
    }),
    resumeAt: (epoch, seq) => (epoch === source.bootId && seq !== undefined && ring.reaches(seq) ? seq : undefined),
    perform: (command, grant) => perform({ command, session: grant, handlers, now, audit }),
    onSent: () => { counts.framesSent += 1; },
    onGap: () => { counts.gaps += 1; },
  };

  // Subscribed from the first moment on, so that a snapshot taken later misses no event.
  const stop = source.subscribe((event: FeedEvent) => {
    const frame = { v: 1, epoch: source.bootId, seq: ring.last + 1, type: event.type, data: event.data };
    snapshots.clear();
    lanes.onPushed(ring.push(event.type, Buffer.from(JSON.stringify(frame)), event.type === 'signal' || event.type === 'analysis' ? event.data.symbol : undefined));
  });
  return { hub, counts, stop };
}

function snapshotOf(source: FeedSource, symbols: readonly string[] | undefined, most: number) {
  const [status, markets, log] = [source.status(), source.markets(), source.log()];
  if (!symbols) return { status, markets, signals: source.signals(most), analyses: source.analyses(most), log };
  const isMeant = ({ symbol }: { symbol: string }) => symbols.includes(symbol);
  const all = Number.MAX_SAFE_INTEGER;
  return { status, markets: markets.filter(isMeant), signals: source.signals(all).filter(isMeant).slice(0, most), analyses: source.analyses(all).filter(isMeant).slice(0, most), log };
}
