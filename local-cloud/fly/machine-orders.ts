import { ApiError, precondition } from './api-error.ts';
import { durationMs } from './duration.ts';
import { findReachable } from './find.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { MachineRow } from './types.ts';

const cannot = (verb: string, machine: MachineRow) => precondition(`unable to ${verb} machine from current state: '${machine.state}'`);

const MOST_SUSPENDED_MB = 2048;

const order = (verb: string, handle: (request: ApiRequest) => ApiAnswer): Route => ({
  method: 'POST', path: `/apps/:app/machines/:machine/${verb}`, verb: `machine.${verb}`, limit: 'action', handle,
});

/** start, stop, suspend, restart, signal, cordon, uncordon. Each notes a wish; the machine follows in its own time. */
export function machineOrderRoutes(platform: Platform): Route[] {
  return [
    order('start', (request) => start(platform, request)),
    order('stop', (request) => stop(platform, request)),
    order('suspend', (request) => suspend(platform, request)),
    order('restart', (request) => restart(platform, request)),
    order('signal', (request) => signal(platform, request)),
    order('cordon', (request) => cordon(platform, request, true)),
    order('uncordon', (request) => cordon(platform, request, false)),
  ];
}

function start(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, lifecycle } = platform;
  const machine = findReachable(platform, request);
  const answer = ok({ previous_state: machine.state, migrated: false, new_host: '' });
  if (machine.goal === 'started') {
    if (machine.state !== 'started' && machine.state !== 'starting') throw cannot('start', machine);
    lifecycle.kick(machine.id, { now: true });
    return answer;
  }
  if (!['created', 'stopped', 'suspended', 'failed'].includes(machine.state)) throw cannot('start', machine);
  platform.capacity.reserve(request.params['app'] ?? '', machine.region, machine.config, machine.id);
  store.changeMachine(machine.id, (row) => {
    row.goal = 'started';
    row.state = 'starting';
    // what is suspended goes on where it was
    if (!row.run?.frozen) row.boot += 1;
    row.restartCount = 0;
    row.stopWith = null;
    store.addEvent(row.id, { type: 'start', status: 'starting', source: 'user' });
  });
  lifecycle.kick(machine.id, { now: true });
  return answer;
}

function stop(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, lifecycle } = platform;
  const machine = findReachable(platform, request);
  if (machine.goal === 'destroyed') throw cannot('stop', machine);
  if (machine.goal === 'stopped') return ok({ ok: true });
  store.changeMachine(machine.id, (row) => {
    row.goal = 'stopped';
    row.state = 'stopping';
    row.stopWith = how(request.body['signal'], request.body['timeout']);
    store.addEvent(row.id, { type: 'stop', status: 'stopping', source: 'user' });
  });
  lifecycle.kick(machine.id, { now: true });
  return ok({ ok: true });
}

/** Only a small machine can be suspended: its memory is written to disk. */
function suspend(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, lifecycle } = platform;
  const machine = findReachable(platform, request);
  if (machine.goal === 'suspended') return ok({ ok: true });
  if (machine.state !== 'started' || !machine.run) throw cannot('suspend', machine);
  const { guest } = machine.config;
  if ((guest?.memory_mb ?? 0) > MOST_SUSPENDED_MB || (machine.config['swap_size_mb'] as number | undefined ?? 0) > 0) {
    throw new ApiError(400, `invalid_argument: a machine with more than ${MOST_SUSPENDED_MB} MB or with swap cannot be suspended`);
  }
  store.changeMachine(machine.id, (row) => {
    row.goal = 'suspended';
    row.state = 'suspending';
    store.addEvent(row.id, { type: 'suspend', status: 'suspending', source: 'user' });
  });
  lifecycle.kick(machine.id, { now: true });
  return ok({ ok: true });
}

function restart(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, lifecycle } = platform;
  const machine = findReachable(platform, request);
  if (machine.goal !== 'started' || machine.state !== 'started') throw cannot('restart', machine);
  const { query } = request;
  store.changeMachine(machine.id, (row) => {
    row.state = 'restarting';
    row.boot += 1;
    row.restartCount = 0;
    row.stopWith = query.get('force_stop') === 'true' ? { signal: 'SIGKILL', timeoutMs: 0 } : how(query.get('signal'), query.get('timeout'));
    store.addEvent(row.id, { type: 'restart', status: 'restarting', source: 'user' });
  });
  lifecycle.kick(machine.id);
  return ok({ ok: true });
}

/** How an end was asked for: a signal by name or number, a timeout as a duration or as bare seconds. */
function how(signal: unknown, timeout: unknown): MachineRow['stopWith'] {
  const bare = typeof timeout === 'string' && /^\d+$/.test(timeout) ? `${timeout}s` : timeout;
  const timeoutMs = durationMs(bare);
  const named = typeof signal === 'number' || (typeof signal === 'string' && signal !== '') ? String(signal) : undefined;
  if (named === undefined && timeoutMs === null) return null;
  return { ...(named === undefined ? {} : { signal: named }), ...(timeoutMs === null ? {} : { timeoutMs }) };
}

function signal(platform: Platform, request: ApiRequest): ApiAnswer {
  const machine = findReachable(platform, request);
  if (!machine.run || machine.run.frozen) throw cannot('signal', machine);
  platform.runtime.signal(machine.run, how(request.body['signal'], undefined)?.signal ?? 'SIGINT');
  return ok({ ok: true });
}

function cordon(platform: Platform, request: ApiRequest, cordoned: boolean): ApiAnswer {
  const machine = findReachable(platform, request);
  platform.store.changeMachine(machine.id, (row) => { row.cordoned = cordoned; });
  return ok({ ok: true });
}
