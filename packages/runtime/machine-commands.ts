import { TradeMindError } from '@trademind/core';
import type { CloudLink } from './control/cloud-link.ts';
import type { CommandAudit, CommandHandlers } from './feed/commands.ts';
import type { History } from './history.ts';
import type { Log } from './log.ts';
import type { Notifier } from './notifications/notifier.ts';
import type { WorkControl } from './work-control.ts';

export interface MachineCommandsOptions {
  control: Pick<WorkControl, 'pause' | 'resume'>;
  cloud: Pick<CloudLink, 'beatNow'> | undefined;
  notifier: Pick<Notifier, 'test'> | undefined;
  history: Pick<History, 'command'>;
  log: Log;
}

/** What a session of the feed may tell the machine to do. */
export class MachineCommands {
  readonly #options: MachineCommandsOptions;

  constructor(options: MachineCommandsOptions) {
    this.#options = options;
  }

  get handlers(): CommandHandlers {
    const { control, cloud, notifier } = this.#options;
    return {
      pause: () => control.pause(),
      resume: () => control.resume(),
      ...(notifier && {
        'test-notification': async ({ channel }) => {
          const { ok, code, message } = await notifier.test(channel);
          if (!ok) throw new TradeMindError({ code, message, field: 'channel' });
          return { code, message };
        },
      }),
      'set-traders': ({ traders }) => {
        if (traders) throw new TradeMindError({ code: 'traders_in_database', message: 'The traders of this machine are kept in the database.', field: 'traders', nextStep: 'Change them there, then send set-traders without a list.' });
        // The stored ones are looked at now instead of with the next beat.
        cloud?.beatNow();
      },
    };
  }

  /** Somebody told the machine to do something: its user can see who, what and how it ended. */
  audit(entry: CommandAudit): void {
    const { command, sessionId, outcome, code } = entry;
    this.#options.history.command(entry);
    this.#options.log(outcome === 'done' ? 'info' : 'warn', 'command', `Session ${sessionId.slice(0, 8)} asked for "${command}": ${outcome}${code === undefined ? '' : ` (${code})`}.`, { command, sessionId, outcome });
  }
}
