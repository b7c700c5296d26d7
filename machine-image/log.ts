import { pino, type Logger } from 'pino';

/** Whatever an error or a library might carry along: these never reach the log. */
const SECRET_PATHS = ['secret', 'token', 'authorization', 'apiKey', 'password', 'headers', 'machineSecret', 'ticket', 'session']
  .flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** JSON lines on stdout, written at once so that the last one survives a crash. */
export function createLogger(level: string, base: Record<string, string>): Logger {
  return pino({ level, base, redact: { paths: SECRET_PATHS, censor: '[redacted]' }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 1, sync: true }));
}
