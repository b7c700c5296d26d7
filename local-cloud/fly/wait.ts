import { ApiError } from './api-error.ts';
import { findMachine } from './find.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { MachineRow } from './types.ts';

const STATES = new Set(['started', 'stopped', 'suspended', 'destroyed', 'failed', 'settled']);
const RESTING = new Set(['created', 'started', 'stopped', 'suspended', 'failed', 'destroyed']);

export function waitRoutes(platform: Platform): Route[] {
  return [{ method: 'GET', path: '/apps/:app/machines/:machine/wait', verb: 'machine.wait', limit: 'action', handle: (request) => wait(platform, request) }];
}

/** Waits for a state, at most 60 s; above that Fly refuses, and so do we. */
async function wait(platform: Platform, request: ApiRequest): Promise<ApiAnswer> {
  const { store, closing } = platform;
  const { query } = request;
  const machine = findMachine(platform, request);
  const states = query.getAll('state').flatMap((state) => state.split(','));
  if (states.length === 0) states.push('started');
  for (const state of states) if (!STATES.has(state)) throw new ApiError(400, `invalid_argument: unknown state ${JSON.stringify(state)}`);
  const seconds = Number((query.get('timeout') ?? '60').replace(/s$/, ''));
  if (!(seconds >= 1 && seconds <= 60)) throw new ApiError(400, 'invalid_argument: timeout must be between 1 and 60 seconds');
  const version = query.get('version') ?? query.get('instance_id');

  const fits = (row: MachineRow): boolean =>
    (states.includes(row.state) || (states.includes('settled') && RESTING.has(row.state))) && (version === null || version === row.instanceId);
  const now = () => store.machine(machine.id) ?? machine;

  const reached = await new Promise<boolean>((resolve) => {
    const ended = AbortSignal.any([closing, request.signal]);
    const finish = (result: boolean) => {
      clearTimeout(timer);
      unsubscribe();
      ended.removeEventListener('abort', stop);
      resolve(result);
    };
    const stop = () => finish(false);
    const look = () => { if (fits(now())) finish(true); };
    const timer = setTimeout(stop, seconds * 1000);
    const unsubscribe = store.onChange(machine.id, look);
    ended.addEventListener('abort', stop);
    look();
  });
  if (closing.aborted) throw new ApiError(503, 'the host is going down');
  const row = now();
  if (!reached) throw new ApiError(408, `deadline_exceeded: machine failed to reach desired state, ${states.join(' or ')}, currently ${row.state}`);
  return ok({ ok: true, state: row.state, version: row.instanceId, event_id: store.events(row.id, 1)[0]?.id });
}
