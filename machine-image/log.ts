import { pino, type Logger } from 'pino';

/** Whatever an error or a library might carry along: these never reach the log. */
const SECRET_PATHS = ['secret', 'token', 'authorization', 'apiKey', 'password', 'headers', 'machineSecret', 'ticket', 'session']
  .flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** Tickets, sessions and database tokens: three parts in base64url, of which the first is a JSON object. */
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/g;

/**
 * JSON lines on stdout, written at once so that the last one survives a crash. Of `secrets` none is ever in a line, wherever it comes from: a
 * library's error may hold the whole request.
 */
export function createLogger(level: string, base: Record<string, string>, secrets: readonly string[] = []): Logger {
  const hide = (line: string) => secrets.reduce((hidden, secret) => hidden.replaceAll(secret, '[redacted]'), line).replaceAll(TOKEN, '[redacted]');
  return pino({ level, base, hooks: { streamWrite: hide }, redact: { paths: SECRET_PATHS, censor: '[redacted]' }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 1, sync: true }));
}
