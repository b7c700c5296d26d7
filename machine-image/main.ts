// A user's machine: reads its contract, runs, drains when it is told to end.
// Exit codes: 0 drained · 78 the environment is not what the contract asks · 1 crashed, with last words in DATA_DIR.
import { codeOf, sentenceOf } from '@trademind/core';
import { memoryNow, startMachine, type RunningMachine } from '@trademind/runtime';
import { readSettings, type Settings } from './env.ts';
import { LastWords } from './last-words.ts';
import { createLogger } from './log.ts';
import manifest from './package.json' with { type: 'json' };

const EXIT = { drained: 0, crashed: 1, environment: 78 } as const;
/** Fly sends SIGKILL 30 s after SIGTERM. */
const DRAIN_MS = 25_000;

function settingsOrExit(): Settings {
  try {
    return readSettings();
  } catch (error) {
    createLogger('info', {}).fatal({ code: codeOf(error) }, sentenceOf(error));
    return process.exit(EXIT.environment);
  }
}

const settings = settingsOrExit();
// those of its birth; what the user entrusted to the control plane joins them once it is fetched
const secrets = new Set([settings.MACHINE_SECRET, settings.SUPABASE_PUBLISHABLE_KEY, settings.GEMINI_API_KEY, settings.BINANCE_API_KEY, settings.BINANCE_SECRET_KEY].filter((value) => value !== undefined && value.length >= 8) as string[]);
const logger = createLogger(settings.LOG_LEVEL, { machine: settings.MACHINE_ID, region: settings.MACHINE_REGION }, secrets);
const words = new LastWords({ dataDir: settings.DATA_DIR, version: manifest.version, secrets, now: () => new Date(), uptimeS: () => process.uptime(), memory: memoryNow });

function crash(error: unknown): never {
  words.crashed(error);
  logger.fatal({ code: codeOf(error) }, sentenceOf(error));
  process.exit(EXIT.crashed);
}
process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);
process.on('exit', (code) => words.exited(Number(code)));

let ending = false;
let machine: Promise<RunningMachine> | undefined;

async function drain(reason: string): Promise<void> {
  if (ending) return;
  ending = true;
  logger.info({ code: 'ending' }, `${reason}: draining.`);
  setTimeout(() => {
    logger.error({ code: 'drain_timeout' }, 'The drain took too long; what was not sent waits on disk.');
    words.drainTimedOut();
    process.exit(EXIT.drained);
  }, DRAIN_MS).unref();
  await (await machine)?.drain();
  logger.info({ code: 'ended' }, 'Drained.');
  words.ended();
  process.exit(EXIT.drained);
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => { drain(signal).catch(crash); });
// Started by a supervisor over IPC, the machine ends with it.
if (process.channel) process.on('disconnect', () => { drain('The supervisor went away').catch(crash); });

const last = words.news.at(-1);
if (last) logger.warn({ code: 'crashed_before', at: last.at, kind: last.kind, cause: last.code, uptimeS: last.uptimeS }, `A process before this one ended against its will, ${last.at}: ${last.message}`);

machine = startMachine({
  userId: settings.USER_ID, machineId: settings.MACHINE_ID, version: manifest.version, dataDir: settings.DATA_DIR, archive: settings.ARCHIVE_DIR, recordingBytes: settings.RECORDING_MB * 1024 ** 2, interval: settings.KLINE_INTERVAL, screeningIntervalMs: settings.SCREENING_INTERVAL_MS,
  exchange: { restUrl: settings.BINANCE_REST_URL, streamUrl: settings.BINANCE_STREAM_URL },
  cloud: {
    controlPlaneUrl: settings.CONTROL_PLANE_URL, machineSecret: settings.MACHINE_SECRET,
    supabaseUrl: settings.SUPABASE_URL, publishableKey: settings.SUPABASE_PUBLISHABLE_KEY,
  },
  ticketJwks: settings.TICKET_JWKS, allowedOrigins: settings.ALLOWED_ORIGINS, host: settings.HOST, port: settings.PORT, metricsPort: settings.METRICS_PORT, metricsHost: settings.METRICS_HOST,
  gemini: { apiKey: settings.GEMINI_API_KEY, baseUrl: settings.GEMINI_BASE_URL, model: settings.GEMINI_MODEL },
  crashes: words.before, secrets,
  log: (level, code, message, fields) => {
    words.heard({ at: Date.now(), level, code, message });
    logger[level]({ code, ...fields }, message);
  },
});
const running = await machine.catch(crash);
logger.info({ code: 'serving', port: running.port, metricsPort: running.metricsPort }, `Serving on port ${running.port}.`);
