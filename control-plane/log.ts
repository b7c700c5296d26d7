import { destination, pino, type Logger } from 'pino';

/** The log of this process: JSON lines on stderr (stdout says only that it is ready). Whatever could hold a secret is cut out. */
export function createLog(settings: { logLevel: string; replicaId: string }): Logger {
  return pino({
    name: 'control-plane', level: settings.logLevel, base: { replica: settings.replicaId },
    redact: ['authorization', '*.authorization', '*.headers.authorization', '*.token', '*.secret', 'err.config'],
  }, destination({ dest: 2, sync: true }));
}
