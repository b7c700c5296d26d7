import { redact } from '@trademind/core';
import { pino, type Logger } from 'pino';

/** Whatever an error or a library might carry along: these never reach the log. */
const SECRET_PATHS = ['secret', 'token', 'authorization', 'apiKey', 'password', 'headers', 'machineSecret', 'ticket', 'session']
  .flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/**
 * JSON lines on stdout, written at once so that the last one survives a crash. Of `secrets` (which may grow) none is ever in a line, nor anything
 * that has the form of one, wherever it comes from: a library's error may hold the whole request.
 */
export function createLogger(level: string, base: Record<string, string>, secrets: Iterable<string> = []): Logger {
  return pino({ level, base, hooks: { streamWrite: (line) => redact(line, secrets) }, redact: { paths: SECRET_PATHS, censor: '[redacted]' }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 1, sync: true }));
}
