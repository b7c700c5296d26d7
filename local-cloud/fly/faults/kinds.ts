import * as z from 'zod';

/** How long and how often a fault strikes. */
const LIMITS = {
  /** Wall milliseconds until it ends by itself. Left out: until it is removed. */
  forMs: z.int().min(1).max(86_400_000).optional(),
  /** It ends after so many strikes. */
  count: z.int().min(1).optional(),
  /** So many that it would have struck go by first. */
  skip: z.int().min(0).default(0),
  /** Share of what it matches that it strikes; chosen by `seed`, so that a run can be repeated. */
  chance: z.number().gt(0).max(1).default(1),
  seed: z.int().min(0).max(4_294_967_295).optional(),
};
const ms = z.int().min(1).max(3_600_000);
/** `*` stands for anything. */
const pattern = z.string().min(1).max(200).default('*');
/** Which requests: the verb as the journal names it (`machine.create`, `lease.*`), its app, its machine's id, reads or writes. */
const REQUESTS = { ...LIMITS, verb: pattern, app: pattern, machine: pattern, only: z.enum(['reads', 'writes', 'all']).default('all') };
/** Which machines: by app, id, name, region, image. */
const MACHINES = { ...LIMITS, app: pattern, machine: pattern, name: pattern, region: pattern, image: pattern };
const exit = { exitCode: z.int().min(0).max(255).default(1), signal: z.int().min(-1).max(64).default(-1), oomKilled: z.boolean().default(false) };

const FAULT = z.discriminatedUnion('kind', [
  // The line: the request never arrives, the answer never comes back (done, not told), nobody answers, all takes long, the answer is spoiled.
  z.strictObject({ kind: z.literal('lost-request'), ...REQUESTS }),
  z.strictObject({ kind: z.literal('lost-answer'), ...REQUESTS }),
  z.strictObject({ kind: z.literal('hang'), done: z.boolean().default(true), ...REQUESTS }),
  z.strictObject({ kind: z.literal('slow'), ms, before: z.boolean().default(false), ...REQUESTS }),
  z.strictObject({ kind: z.literal('cut'), ...REQUESTS }),
  z.strictObject({ kind: z.literal('garbled'), ...REQUESTS }),
  // Any status in the place of the true answer. `done`: what was asked happens all the same. `error`, `word`: Fly's `error` and `status`. `retryAfter`: in seconds, or as a date.
  z.strictObject({
    kind: z.literal('status'), status: z.int().min(400).max(599), error: z.string().max(500).optional(), word: z.string().max(100).optional(), done: z.boolean().default(false),
    retryAfter: z.int().min(0).max(86_400).optional(), asDate: z.boolean().default(false), html: z.boolean().default(false), ...REQUESTS,
  }),
  // What is true for a moment only: a new app is 401, a new machine 404, for so long after it was made.
  z.strictObject({ kind: z.literal('young-app'), ms, ...REQUESTS }),
  z.strictObject({ kind: z.literal('young-machine'), ms, ...REQUESTS }),
  // The other form of an answer about which sources disagree.
  z.strictObject({ kind: z.literal('dialect'), form: z.enum(['name-taken-409', 'stale-version-409', 'flat-lease', 'bare-ips']), forMs: LIMITS.forMs }),
  // Leases: the next change that carries a nonce finds that another has it.
  z.strictObject({ kind: z.literal('steal-lease'), owner: z.string().min(1).max(100).default('somebody@else'), ttl: z.int().min(1).max(86_400).default(30), ...REQUESTS }),
  // No room. `as`: in which of the forms it was seen.
  z.strictObject({ kind: z.literal('capacity'), of: z.enum(['machine', 'volume', 'all']).default('all'), as: z.enum(['word', 'memory', 'gateway']).default('word'), region: pattern, app: pattern, ...LIMITS }),
  // Hosts and machines.
  z.strictObject({ kind: z.literal('host-unreachable'), dead: z.boolean().default(false), as: z.enum(['unreachable', 'unknown']).default('unreachable'), ...MACHINES }),
  z.strictObject({ kind: z.literal('wedge'), state: z.enum(['created', 'starting', 'stopping', 'suspending', 'restarting', 'replacing', 'destroying']), as: z.enum(['updating', 'launch_failed', 'starting']).optional(), ...MACHINES }),
  z.strictObject({ kind: z.literal('boot'), afterMs: z.int().min(0).max(3_600_000).default(0), log: z.string().max(2000).optional(), ...exit, ...MACHINES }),
  // The machine runs and Fly calls it started, but its own /ready and /health say no (`path`: which of them).
  z.strictObject({ kind: z.literal('not-ready'), status: z.int().min(400).max(599).default(503), path: z.enum(['/ready', '/health', '*']).default('*'), ...MACHINES }),
  z.strictObject({ kind: z.literal('launch'), error: z.string().max(500).default('failed to launch VM: could not pull image'), ...MACHINES }),
  // What lists show: too old a truth, regions that were not read, pages short or empty or in no order.
  z.strictObject({ kind: z.literal('eventual-list'), ms, of: z.enum(['org', 'app', 'all']).default('all'), forMs: LIMITS.forMs }),
  z.strictObject({ kind: z.literal('error-region'), region: pattern, forMs: LIMITS.forMs }),
  z.strictObject({ kind: z.literal('ragged-pages'), seed: LIMITS.seed, forMs: LIMITS.forMs }),
  z.strictObject({ kind: z.literal('clock-skew'), ms: z.int().min(-86_400_000).max(86_400_000), forMs: LIMITS.forMs }),
  // Acts: over once they are done.
  z.strictObject({ kind: z.literal('exit'), log: z.string().max(2000).optional(), ...exit, app: pattern, machine: pattern, name: pattern, region: pattern, image: pattern }),
  z.strictObject({ kind: z.literal('migrate'), app: z.string().min(1).max(200), machine: pattern }),
  z.strictObject({ kind: z.literal('take-app-name'), name: z.string().min(1).max(63), org: z.string().min(1).max(100).default('somebody-else') }),
]);

export type FaultOrder = z.output<typeof FAULT>;
export type FaultKind = FaultOrder['kind'];
export type OrderOf<K extends FaultKind> = Extract<FaultOrder, { kind: K }>;

const REQUEST_KINDS = ['lost-request', 'lost-answer', 'hang', 'slow', 'cut', 'garbled', 'status', 'steal-lease'] as const;
export type RequestOrder = OrderOf<(typeof REQUEST_KINDS)[number]>;
export const isRequestOrder = (order: FaultOrder): order is RequestOrder => (REQUEST_KINDS as readonly string[]).includes(order.kind);
export type MachineOrder = OrderOf<'host-unreachable' | 'wedge' | 'boot' | 'launch' | 'not-ready'>;

/** Reads the body of POST /_stand-in/faults. Throws an Error with `status` 400 whose message names the field. */
export function readFaultOrder(body: unknown): FaultOrder {
  const read = FAULT.safeParse(body);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const field = issue?.path.join('.') || 'kind';
  const kinds = FAULT.options.map((option) => option.shape.kind.value).join(', ');
  throw Object.assign(new Error(`${field}: ${issue?.message ?? 'not understood'}. Kinds: ${kinds}.`), { status: 400 });
}
