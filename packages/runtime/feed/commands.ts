import { COMMAND_SCOPES, TradeMindError, codeOf, type FeedScope, type MachineCommand } from '@trademind/core';
import { FeedRefusal } from './refusal.ts';

type CommandName = MachineCommand['type'];

/**
 * What a machine can be told to do, each by its own small function: it answers when it is done, or throws a TradeMindError whose code and
 * words are for the user. What is left out, this machine cannot do, and says so.
 */
export type CommandHandlers = { readonly [T in CommandName]?: (command: Extract<MachineCommand, { type: T }>) => unknown };

/** Who did what to the machine, and how it ended. */
export interface CommandAudit {
  /** Wall ms. */
  at: number;
  command: CommandName;
  sessionId: string;
  outcome: 'done' | 'failed' | 'refused';
  /** Why it failed or was refused. */
  code: string | undefined;
}

interface Performed { command: MachineCommand; session: { sessionId: string; scopes: readonly FeedScope[] }; handlers: CommandHandlers; now: () => number; audit: (entry: CommandAudit) => void }

const needsAudit = (name: CommandName): boolean => COMMAND_SCOPES[name] !== 'feed:read';

/** Commands that a session with these scopes may give here. */
export function commandsFor(scopes: readonly FeedScope[], handlers: CommandHandlers): CommandName[] {
  return (Object.keys(COMMAND_SCOPES) as CommandName[]).filter((name) => handlers[name] !== undefined && scopes.includes(COMMAND_SCOPES[name]));
}

/**
 * Carries out a command and answers its result. Whatever changes the machine is audited, however it ends. Throws FeedRefusal
 * `scope_missing`, TradeMindError `command_unavailable`, or what the machine itself says.
 */
export async function perform({ command, session, handlers, now, audit }: Performed): Promise<unknown> {
  const name = command.type;
  const note = (outcome: CommandAudit['outcome'], code?: string): void => {
    if (needsAudit(name)) audit({ at: now(), command: name, sessionId: session.sessionId, outcome, code });
  };
  try {
    if (!session.scopes.includes(COMMAND_SCOPES[name])) throw new FeedRefusal('scope_missing');
    // The compiler cannot see that a handler belongs to its own command.
    const handler = handlers[name] as ((given: MachineCommand) => unknown) | undefined;
    if (!handler) throw new TradeMindError({ code: 'command_unavailable', message: `This machine cannot do "${name}".`, nextStep: 'What it can do, its hello says under `commands`.' });
    const result = await handler(command);
    note('done');
    return result ?? null;
  } catch (error) {
    const refused = error instanceof FeedRefusal || codeOf(error) === 'command_unavailable';
    note(refused ? 'refused' : 'failed', codeOf(error));
    throw error;
  }
}
