import { ApiError, precondition } from './api-error.ts';
import { findForChange, findMachine } from './find.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';

const AT = '/apps/:app/machines/:machine';

/** A command inside a machine, and what runs in it. */
export function execRoutes(platform: Platform): Route[] {
  return [
    { method: 'POST', path: `${AT}/exec`, verb: 'machine.exec', limit: 'action', handle: (request) => exec(platform, request) },
    { method: 'GET', path: `${AT}/ps`, verb: 'machine.ps', limit: 'action', handle: (request) => {
      const { run } = findMachine(platform, request);
      return ok(run ? platform.runtime.processes(run).map((row) => ({ ...row, cpu: 0, rtime: 0, stime: 0, listen_sockets: [] })) : []);
    } },
  ];
}

/** 200 also when the command failed: its `exit_code` says so. */
async function exec(platform: Platform, request: ApiRequest): Promise<ApiAnswer> {
  const { store, runtime } = platform;
  const machine = findForChange(platform, request);
  const { command, cmd, timeout } = request.body;
  // `cmd`, one text, is the old form
  const words = Array.isArray(command) ? command : typeof cmd === 'string' ? cmd.split(' ').filter((word) => word !== '') : [];
  if (words.length === 0 || !words.every((word) => typeof word === 'string')) throw new ApiError(400, 'invalid_argument: command must be an array of strings');
  if (!machine.run || machine.run.frozen) throw precondition(`unable to exec in machine from current state: '${machine.state}'`);
  const secrets = Object.fromEntries(store.secrets(machine.appId).map(({ name, value }) => [name, value]));
  const seconds = typeof timeout === 'number' && timeout > 0 ? Math.min(timeout, 60) : 30;
  const result = await runtime.exec(machine, { appName: request.params['app'] ?? '', secrets }, words as string[], seconds * 1000);
  if (result === null) throw new ApiError(403, 'this stand-in runs registered images only; start it with --allow-exec to run commands');
  return ok(result);
}
