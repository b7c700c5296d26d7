/** A fault as the stand-in's admin port takes it (see local-cloud/exchange/README.md), and how many seconds it may last. */
export interface Harm {
  name: string;
  orders: (draw: Draw) => readonly object[];
  /** Seconds it lasts; 0 for what is done at once. */
  seconds: number;
  /** What must be asked of REST for it to bite: some closes are lost with it. */
  needsRest?: boolean;
  /** Long by its nature: a storm does it seldom. */
  long?: boolean;
}

/** Draws of one seeded run. */
export interface Draw { random(): number; symbol(): string; seed(): string }

const CLOSES = { stream: '*@kline_*', contains: '"x":true' };
const between = (from: number, to: number, { random }: Draw) => Math.round(from + (to - from) * random());

/** Every fault that the exchange knows, one by one: a kind that is lacking here fails a test. */
export const HARMS: readonly Harm[] = [
  { name: 'drop', seconds: 3, orders: (draw) => [{ kind: 'drop', ...CLOSES, chance: 0.5, seed: draw.seed() }] },
  { name: 'drop-all', seconds: 3, orders: (draw) => [{ kind: 'drop', chance: 0.9, seed: draw.seed() }] },
  { name: 'delay', seconds: 3, orders: (draw) => [{ kind: 'delay', ms: between(200, 4_000, draw), chance: 0.2, seed: draw.seed() }] },
  { name: 'duplicate', seconds: 3, orders: (draw) => [{ kind: 'duplicate', ...CLOSES, times: between(1, 4, draw), chance: 0.6, seed: draw.seed() }] },
  { name: 'reorder', seconds: 3, orders: (draw) => [{ kind: 'reorder', by: between(1, 30, draw), chance: 0.5, seed: draw.seed() }] },
  { name: 'truncate', seconds: 3, orders: (draw) => [{ kind: 'truncate', chance: 0.3, seed: draw.seed() }] },
  { name: 'corrupt-json', seconds: 3, orders: (draw) => [{ kind: 'corrupt', how: 'json', chance: 0.3, seed: draw.seed() }] },
  { name: 'corrupt-utf8', seconds: 3, orders: (draw) => [{ kind: 'corrupt', how: 'utf8', chance: 0.1, seed: draw.seed() }] },
  { name: 'corrupt-frame', seconds: 3, orders: (draw) => [{ kind: 'corrupt', how: 'frame', chance: 0.05, count: 2, seed: draw.seed() }] },
  { name: 'freeze', seconds: 6, orders: (draw) => [{ kind: 'freeze', stream: `${draw.symbol().toLowerCase()}@*` }] },
  { name: 'freeze-all', seconds: 4, orders: () => [{ kind: 'freeze', stream: '*@kline_*' }] },
  { name: 'stall', seconds: 36, long: true, orders: () => [{ kind: 'stall', forMs: 36_000 }] },
  { name: 'refuse-connection', seconds: 3, orders: () => [{ kind: 'refuse-connection', status: 503 }, { kind: 'close' }] },
  // An announced end is answered with another connection at once: that one is refused while the fault lasts.
  ...[451, 418, 429, 403].map((status): Harm => ({ name: `refuse-connection-${status}`, seconds: 4, long: true, orders: () => [{ kind: 'refuse-connection', status, count: 1 }, { kind: 'server-shutdown', closeAfterMs: 1_000 }] })),
  { name: 'server-shutdown', seconds: 0, orders: (draw) => [{ kind: 'server-shutdown', closeAfterMs: between(0, 5_000, draw) }] },
  { name: 'close', seconds: 0, orders: () => [{ kind: 'close' }] },
  { name: 'close-1001', seconds: 0, orders: () => [{ kind: 'close', code: 1001 }] },
  { name: 'rest-slow', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'rest-slow', ms: between(500, 4_000, draw) }] },
  { name: 'rest-hang', seconds: 3, needsRest: true, long: true, orders: () => [{ kind: 'rest-hang' }] },
  { name: 'rest-reset', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'rest-reset', chance: 0.7, seed: draw.seed() }] },
  { name: 'rest-500', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'rest-status', status: 500, chance: 0.7, seed: draw.seed() }] },
  { name: 'rest-503-html', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'rest-status', status: 503, html: true, chance: 0.7, seed: draw.seed() }] },
  { name: 'rest-429', seconds: 2, needsRest: true, orders: () => [{ kind: 'rest-status', status: 429, retryAfter: 2, count: 1 }] },
  { name: 'rest-418', seconds: 2, needsRest: true, orders: () => [{ kind: 'rest-status', status: 418, retryAfter: 4, count: 1 }] },
  { name: 'rest-451', seconds: 2, needsRest: true, long: true, orders: () => [{ kind: 'rest-status', status: 451, count: 1 }] },
  { name: 'rest-403', seconds: 2, needsRest: true, long: true, orders: () => [{ kind: 'rest-status', status: 403, html: true, count: 1 }] },
  { name: 'rest-truncate', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'rest-truncate', chance: 0.7, seed: draw.seed() }] },
  { name: 'rest-corrupt', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'rest-corrupt', chance: 0.7, seed: draw.seed() }] },
  { name: 'missing-candle', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'missing-candle', chance: 0.1, seed: draw.seed() }] },
  { name: 'off-grid-candle', seconds: 4, needsRest: true, orders: (draw) => [{ kind: 'off-grid-candle', ms: between(1, 59_999, draw), chance: 0.1, seed: draw.seed() }] },
  { name: 'wrong-candle', seconds: 3, orders: (draw) => [{ kind: 'wrong-candle', factor: 1 + (draw.random() - 0.5) / 50, chance: 0.3, seed: draw.seed() }] },
  { name: 'wrong-candle-resent', seconds: 3, orders: (draw) => [{ kind: 'wrong-candle', factor: 1 + (draw.random() - 0.5) / 50, chance: 0.3, resend: true, seed: draw.seed() }] },
  { name: 'clock-ahead', seconds: 4, needsRest: true, orders: () => [{ kind: 'clock-skew', ms: 3_600_000 }] },
  { name: 'clock-behind', seconds: 4, needsRest: true, orders: () => [{ kind: 'clock-skew', ms: -3_600_000 }] },
  { name: 'halt', seconds: 0, orders: (draw) => [{ kind: 'halt', symbol: draw.symbol(), minutes: between(2, 8, draw) }] },
  { name: 'crash', seconds: 0, orders: (draw) => [{ kind: 'crash', symbol: draw.symbol(), depth: between(10, 90, draw) / 100, minutes: between(2, 5, draw), recoverMinutes: between(2, 5, draw) }] },
];

/** Some closes are lost, so that the exchange must be asked. */
export const LOST_CLOSES = { kind: 'drop', ...CLOSES, count: 6, chance: 0.3 };
