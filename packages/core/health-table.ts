/** How a part of a machine fares, the best first. */
export const HEALTH_STATES = ['healthy', 'degraded', 'failing'] as const;
export type HealthState = (typeof HEALTH_STATES)[number];

/** What a measure counts in: ms, a share (1 = all of it), a plain number. */
export type MeasureUnit = 'ms' | 'share' | 'count';

/** The parts of a machine that are judged, each with its name for people and what it means when all is well. `outside`: judged by whoever looks at the machine, not by itself. */
export const HEALTH_COMPONENTS = {
  exchange: { title: 'Exchange stream', healthy: 'The exchange streams its candles.' },
  candles: { title: 'Candles', healthy: 'Every candle comes when it closes.' },
  screening: { title: 'Screening', healthy: 'Each close is screened well before the next.' },
  analysis: { title: 'Analysis', healthy: 'Signals are analysed as they come.' },
  database: { title: 'Database', healthy: 'The database answers quickly.' },
  outbox: { title: 'Outbox', healthy: 'What is found is stored in the database at once.' },
  disk: { title: 'Disk', healthy: 'The data folder can be written and has space.' },
  memory: { title: 'Memory', healthy: 'There is memory to spare.' },
  cpu: { title: 'CPU', healthy: 'There is CPU time to spare.' },
  process: { title: 'Process', healthy: 'The process answers at once and has not crashed.' },
  clock: { title: 'Clock', healthy: 'The clock is right.' },
  feed: { title: 'Live feed', healthy: 'Every client of the feed is served.' },
  notifications: { title: 'Notifications', healthy: 'Messages go out as they come.' },
  errors: { title: 'Errors', healthy: 'Hardly anything goes wrong.' },
  machine: { title: 'Machine', healthy: 'The machine reports regularly.', outside: true },
} as const satisfies Record<string, { title: string; healthy: string; outside?: boolean }>;
export type HealthComponent = keyof typeof HEALTH_COMPONENTS;

export interface MeasureRule {
  readonly component: HealthComponent;
  readonly unit: MeasureUnit;
  /** From this reading on the component is degraded, failing; null: this measure alone never makes it so. More is always worse. */
  readonly degraded: number | null;
  readonly failing: number | null;
  /** How long a worse reading must stand before it counts (ms); 0 for measures that are a length of time themselves. */
  readonly riseMs: number;
  /** What a reading beyond the thresholds means; it is given in words. */
  readonly means: (reading: string) => string;
  /** What to do about it. */
  readonly todo: { readonly degraded: string; readonly failing: string };
}

const BY_ITSELF = 'Nothing is to be done: the machine goes on trying, and nothing is lost.';
const LARGER = 'A larger machine would help; the scaling advice says which.';

const rule = (component: HealthComponent, unit: MeasureUnit, [degraded, failing]: readonly [number | null, number | null], riseMs: number, means: MeasureRule['means'], degradedTodo: string, failingTodo = degradedTodo): MeasureRule =>
  ({ component, unit, degraded, failing, riseMs, means, todo: { degraded: degradedTodo, failing: failingTodo } });

/**
 * All that is measured of a machine, and from where on it is no longer well. The one table of thresholds: machine, control plane and screens
 * judge by it, so that the same reading means the same everywhere. Of several measures of a component the first is told when they are equally bad.
 */
export const HEALTH_MEASURES = {
  streamDownMs: rule('exchange', 'ms', [10_000, 60_000], 0, (v) => `The exchange's stream has been down for ${v}: no candles come.`,
    'It is connected again by itself, and what was missed is fetched.', 'It is tried again without end. If the exchange is up elsewhere, its address may be refused from this region: move the machine.'),
  streamSilenceMs: rule('exchange', 'ms', [10_000, 60_000], 0, (v) => `The exchange has said nothing for ${v}.`,
    'The stream is opened anew by itself.', 'Look whether the exchange itself is down for maintenance; what is missed is fetched afterwards.'),
  candleLagMs: rule('candles', 'ms', [15_000, 90_000], 0, (v) => `The newest candle is ${v} late: signals come late.`,
    'It is fetched by itself. If it lasts, see the exchange stream.', 'See the exchange stream and the CPU. Until candles come again no signal is given.'),
  historyMissing: rule('candles', 'share', [0.05, 0.5], 600_000, (v) => `The history of ${v} of the markets is still missing: traders wait for it on those.`,
    'It is fetched as fast as the exchange allows.', 'See the exchange stream: it refuses history, or too many markets are asked for at once.'),
  passShare: rule('screening', 'share', [0.5, 0.9], 30_000, (v) => `Screening one close takes ${v} of the time until the next.`,
    LARGER, 'Screening does not keep up. Take a larger machine, or fewer traders and markets.'),
  tradersShed: rule('screening', 'count', [1, null], 0, (v) => `Traders that wait because there is more to screen than time: ${v}. They are caught up later.`,
    'Take a larger machine, or fewer traders and markets.'),
  workerUse: rule('screening', 'share', [0.8, 0.95], 60_000, (v) => `The screening threads are busy for ${v} of the time.`, LARGER),
  analysisNoKey: rule('analysis', 'count', [1, null], 0, () => 'There is no key for the model: signals are not analysed.',
    'Give a key for the model in your settings, or switch the analysis of your traders off.'),
  analysisCapped: rule('analysis', 'count', [1, null], 0, () => 'What may be spent on the model a day is used up: signals are not analysed for the rest of the day (UTC).',
    'It goes on by itself the next day. Analyse fewer signals, or allow more a day: `npx trademind caps`.'),
  analysisDownMs: rule('analysis', 'ms', [60_000, 900_000], 0, (v) => `The model has not been asked for ${v}, because it failed too often.`,
    'It is tried again by itself.', 'Check the key and the quota of the model. Signals that grow too old are not analysed; each says so.'),
  analysisWaitMs: rule('analysis', 'ms', [120_000, 900_000], 0, (v) => `A signal has waited for its analysis for ${v}.`,
    'It is worked off at the rate that the model allows.', 'There are more signals than the model may be asked for: tighten the traders, or analyse fewer of them.'),
  analysisQueue: rule('analysis', 'count', [100, 1_000], 0, (v) => `Signals that wait for their analysis: ${v}.`,
    'They are worked off at the rate that the model allows.', 'Tighten the traders, or analyse fewer of them.'),
  databaseSilenceMs: rule('database', 'ms', [45_000, 300_000], 0, (v) => `The database has not answered for ${v}.`,
    BY_ITSELF, `${BY_ITSELF} Changes of traders and settings wait until it answers.`),
  databaseLatencyMs: rule('database', 'ms', [1_000, 5_000], 30_000, (v) => `The database takes ${v} to answer.`, 'It may be overloaded, or far from the machine: see its own dashboard.'),
  outboxAgeMs: rule('outbox', 'ms', [60_000, 600_000], 0, (v) => `Something has waited for ${v} to be stored in the database.`,
    BY_ITSELF, `See the database. ${BY_ITSELF}`),
  outboxRows: rule('outbox', 'count', [5_000, 50_000], 0, (v) => `Rows that wait to be stored in the database: ${v}.`,
    BY_ITSELF, 'See the database. When the data folder fills, what may be thinned is thinned; signals, orders and decisions never are.'),
  diskFailing: rule('disk', 'count', [null, 1], 0, () => 'The data folder cannot be written: what is found waits in memory.', 'Free some space in the data folder, or give it a larger volume.'),
  diskUsed: rule('disk', 'share', [0.8, 0.95], 0, (v) => `The volume of the data folder is ${v} full.`, 'Give it a larger volume soon.', 'Give it a larger volume now: when it is full nothing can be kept.'),
  memoryUsed: rule('memory', 'share', [0.8, 0.92], 30_000, (v) => `${v} of the machine's memory is in use.`, LARGER, `Close to the end of its memory a machine is killed and starts again. ${LARGER}`),
  heapUsed: rule('memory', 'share', [0.8, 0.92], 30_000, (v) => `${v} of the heap is in use.`, LARGER, `At the end of its heap the process crashes and starts again. ${LARGER}`),
  cpuDenied: rule('cpu', 'share', [0.1, 0.4], 60_000, (v) => `The host withholds ${v} of the CPU time: a shared vCPU may use a sixteenth of a core for long.`, LARGER),
  cpuUsed: rule('cpu', 'share', [0.85, 0.97], 120_000, (v) => `${v} of the CPU is in use.`, LARGER),
  crashesPerHour: rule('process', 'count', [1, 3], 0, (v) => `Ends against its will within the last hour: ${v}. It has started again each time.`,
    'The crash report says why. A single one needs no action.', 'It does not run reliably. The crash report says why; if memory is named, take a larger machine.'),
  loopDelayMs: rule('process', 'ms', [100, 1_000], 15_000, (v) => `The process answers with a delay of ${v}.`, LARGER),
  gcShare: rule('process', 'share', [0.1, 0.3], 30_000, (v) => `${v} of the time goes into freeing memory.`, 'Take a machine with more memory.'),
  clockOffsetMs: rule('clock', 'ms', [1_000, 5_000], 30_000, (v) => `The clock of the machine is off by ${v}.`,
    'It should correct itself; if not, restart the machine.', 'Signed requests and tickets may be refused. Restart the machine; on a computer of your own set its clock by the network (NTP).'),
  feedFull: rule('feed', 'share', [0.8, 1], 0, (v) => `${v} of the places for live clients are taken.`, 'Close pages and terminals that nobody looks at.', 'Further clients are refused. Close pages and terminals that nobody looks at.'),
  feedGapsPerMinute: rule('feed', 'count', [5, null], 30_000, (v) => `Times a minute that a client was too slow and missed messages: ${v}.`, 'Such a client fetches a snapshot by itself. Look at its connection.'),
  notificationsWaitMs: rule('notifications', 'ms', [120_000, 1_800_000], 0, (v) => `A message has waited for ${v} to be delivered.`,
    'It is tried again by itself.', 'Send a test message: its answer says what is wrong with the channel.'),
  errorsPerMinute: rule('errors', 'count', [2, 20], 0, (v) => `Errors a minute: ${v}.`, 'The log says which.'),
  beatAgeMs: rule('machine', 'ms', [45_000, 150_000], 0, (v) => `The machine has not reported for ${v}: what is shown of it is as old.`,
    'It may be starting again, or its line to the database is slow.', 'If it does not come back by itself, restart it.'),
} as const satisfies Record<string, MeasureRule>;
export type Measure = keyof typeof HEALTH_MEASURES;
export const MEASURES = Object.keys(HEALTH_MEASURES) as Measure[];

/** A reading in words: `1 min 20 s`, `85 %`, `12`. */
export function readingInWords(value: number, unit: MeasureUnit): string {
  if (unit === 'share') return `${Math.round(value * 100)} %`;
  if (unit === 'count') return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
  if (value < 1_000) return `${Math.round(value)} ms`;
  const seconds = Math.floor(value / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600), Math.floor(seconds / 86_400)];
  if (hours < 1) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return days < 1 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}

/** Words of a problem's code tell the component that it explains. */
const PROBLEMS: readonly (readonly [prefix: string, component: HealthComponent])[] = [
  ['exchange_clock', 'clock'], ['exchange_', 'exchange'], ['stream_', 'exchange'], ['candle_', 'candles'], ['screening_', 'screening'], ['analysis_', 'analysis'], ['gemini_', 'analysis'], ['model_', 'analysis'],
  ['database_', 'database'], ['token_', 'database'], ['control_plane_', 'database'], ['machine_secret_', 'database'], ['owner_', 'database'], ['facts_', 'outbox'], ['status_', 'database'], ['disk_', 'disk'],
  ['notification', 'notifications'], ['telegram_', 'notifications'], ['receiver_', 'notifications'], ['address_', 'notifications'], ['feed_', 'feed'],
];

/** The component that a problem with this code explains; undefined where none is named for it. */
export function componentOfProblem(code: string): HealthComponent | undefined {
  return PROBLEMS.find(([prefix]) => code.startsWith(prefix))?.[1];
}
