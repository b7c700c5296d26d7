import * as z from 'zod';

/** How long and how often a fault strikes. */
const LIMITS = {
  /** Wall milliseconds until it ends by itself. Left out: until it is removed. */
  forMs: z.int().min(1).max(86_400_000).optional(),
  /** It ends after so many strikes. */
  count: z.int().min(1).optional(),
  /** Share of what it matches that it strikes; chosen by `seed`, so that a run can be repeated. */
  chance: z.number().gt(0).max(1).default(1),
  seed: z.string().max(100).default(''),
};
const ms = z.int().min(1).max(3_600_000);
const minutes = z.int().min(1).max(10_080).default(5);
const pattern = z.string().min(1).max(100);
/** Which frames: `*` stands for anything in a stream's name; `contains` looks into the payload; `connection` is an id of GET /connections. */
const FRAMES = { ...LIMITS, stream: pattern.default('*'), contains: z.string().min(1).max(200).optional(), connection: z.string().optional() };
const REQUESTS = { ...LIMITS, path: pattern.default('/api/*') };
const CANDLES = { ...LIMITS, symbol: pattern.default('*'), interval: pattern.default('*'), openTime: z.int().min(0).optional() };

const FAULT = z.discriminatedUnion('kind', [
  // What is sent over a stream.
  z.strictObject({ kind: z.literal('drop'), ...FRAMES }),
  z.strictObject({ kind: z.literal('delay'), ms, ...FRAMES }),
  z.strictObject({ kind: z.literal('duplicate'), times: z.int().min(1).max(100).default(1), ...FRAMES }),
  z.strictObject({ kind: z.literal('reorder'), by: z.int().min(1).max(1_000).default(1), ...FRAMES }),
  z.strictObject({ kind: z.literal('truncate'), ...FRAMES }),
  z.strictObject({ kind: z.literal('corrupt'), how: z.enum(['json', 'utf8', 'frame']).default('json'), ...FRAMES }),
  z.strictObject({ kind: z.literal('freeze'), ...FRAMES }),
  // Whole connections.
  z.strictObject({ kind: z.literal('stall'), forMs: LIMITS.forMs, connection: z.string().optional() }),
  z.strictObject({ kind: z.literal('refuse-connection'), status: z.int().min(400).max(599).default(503), forMs: LIMITS.forMs, count: LIMITS.count }),
  z.strictObject({ kind: z.literal('server-shutdown'), connection: z.string().optional(), closeAfterMs: z.int().min(0).max(3_600_000).default(10_000) }),
  z.strictObject({ kind: z.literal('close'), connection: z.string().optional(), code: z.int().min(1000).max(4999).optional() }),
  // Answers of the REST API.
  z.strictObject({ kind: z.literal('rest-slow'), ms, ...REQUESTS }),
  z.strictObject({ kind: z.literal('rest-status'), status: z.int().min(400).max(599), retryAfter: z.int().min(0).optional(), html: z.boolean().default(false), ...REQUESTS }),
  z.strictObject({ kind: z.literal('rest-truncate'), ...REQUESTS }),
  z.strictObject({ kind: z.literal('rest-corrupt'), ...REQUESTS }),
  z.strictObject({ kind: z.literal('rest-reset'), ...REQUESTS }),
  z.strictObject({ kind: z.literal('rest-hang'), ...REQUESTS }),
  // What the exchange believes of its candles and its clock.
  z.strictObject({ kind: z.literal('missing-candle'), ...CANDLES }),
  z.strictObject({ kind: z.literal('off-grid-candle'), ms: z.int().min(1).max(59_999).default(14_789), ...CANDLES }),
  z.strictObject({ kind: z.literal('wrong-candle'), factor: z.number().gt(0).max(10).default(1.01), resend: z.boolean().default(false), ...CANDLES }),
  z.strictObject({ kind: z.literal('halt'), symbol: pattern.default('*'), minutes }),
  z.strictObject({ kind: z.literal('crash'), symbol: pattern.default('*'), depth: z.number().gt(0).max(0.95).default(0.3), minutes, recoverMinutes: minutes }),
  z.strictObject({ kind: z.literal('clock-skew'), ms: z.int().min(-86_400_000).max(86_400_000), forMs: LIMITS.forMs }),
]);

export type FaultOrder = z.output<typeof FAULT>;
export type FaultKind = FaultOrder['kind'];
export type OrderOf<K extends FaultKind> = Extract<FaultOrder, { kind: K }>;

/** Every kind there is. */
export const FAULT_KINDS: readonly FaultKind[] = FAULT.options.map((option) => option.shape.kind.value);

export const FRAME_KINDS = ['drop', 'delay', 'duplicate', 'reorder', 'truncate', 'corrupt', 'freeze'] as const;
export type FrameOrder = OrderOf<(typeof FRAME_KINDS)[number]>;
export const REST_KINDS = ['rest-slow', 'rest-status', 'rest-truncate', 'rest-corrupt', 'rest-reset', 'rest-hang'] as const;
export type RestOrder = OrderOf<(typeof REST_KINDS)[number]>;
export type CandleOrder = OrderOf<'missing-candle' | 'off-grid-candle' | 'wrong-candle'>;

/** Reads the body of POST /faults. Throws an Error with `status` 400 whose message names the field. */
export function readFaultOrder(body: unknown): FaultOrder {
  const read = FAULT.safeParse(body);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = issue?.path.join('.') || 'kind';
  throw Object.assign(new Error(`${field}: ${issue?.message ?? 'not understood'}. Kinds: ${FAULT_KINDS.join(', ')}.`), { status: 400 });
}
