import { ApiError, invalid, precondition } from './api-error.ts';
import { findApp, findForChange, findMachine, findReachable } from './find.ts';
import { leaseNonce, machineId, privateIp, ulid } from './ids.ts';
import { findImage } from './images.ts';
import { acceptConfig } from './machine-config.ts';
import { machineView, summaryView } from './machine-view.ts';
import type { Platform } from './platform.ts';
import { isRegion } from './regions.ts';
import { isFlag, ok, type ApiRequest, type Route } from './route.ts';
import type { MachineConfig, MachineRow } from './types.ts';

/** Create, read, update and destroy. The orders (start, stop …) are in machine-orders.ts. */
export function machineRoutes(platform: Platform): Route[] {
  return [
    { method: 'GET', path: '/apps/:app/machines', verb: 'machine.list', limit: 'action', handle: (request) => listMachines(platform, request) },
    { method: 'POST', path: '/apps/:app/machines', verb: 'machine.create', limit: 'action', handle: (request) => createMachine(platform, request) },
    { method: 'GET', path: '/apps/:app/machines/:machine', verb: 'machine.get', limit: 'get-machine', handle: (request) => ok(machineView(platform, findMachine(platform, request))) },
    { method: 'POST', path: '/apps/:app/machines/:machine', verb: 'machine.update', limit: 'action', handle: (request) => updateMachine(platform, request) },
    // sources disagree: POST in the documentation, PUT in a published client
    { method: 'PUT', path: '/apps/:app/machines/:machine', verb: 'machine.update', limit: 'action', handle: (request) => updateMachine(platform, request) },
    { method: 'DELETE', path: '/apps/:app/machines/:machine', verb: 'machine.destroy', limit: 'action', handle: (request) => destroyMachine(platform, request) },
  ];
}

function listMachines(platform: Platform, request: ApiRequest) {
  const { query } = request;
  const states = query.get('state')?.split(',');
  const metadata = [...query].filter(([key]) => key.startsWith('metadata.')).map(([key, value]) => [key.slice('metadata.'.length), value] as const);
  const app = findApp(platform, request);
  const all = platform.store.machines(app.id, isFlag(query.get('include_deleted')));
  const machines = platform.past.show('app', all, (id) => platform.store.machine(id), (machine) => machine.appId === app.id).filter((machine) =>
    (!states || states.includes(machine.state)) && (!query.has('region') || query.get('region') === machine.region)
    && metadata.every(([key, value]) => machine.config.metadata?.[key] === value));
  // sources disagree whether this list pages: it does for whoever asks for a limit
  const limit = Number(query.get('limit') ?? machines.length) || machines.length;
  const after = query.get('cursor');
  const first = after === null ? 0 : machines.findIndex((machine) => machine.id === after) + 1;
  const page = machines.slice(first, first + limit);
  const last = page.at(-1);
  const more = last !== undefined && first + page.length < machines.length;
  const view = isFlag(query.get('summary')) ? summaryView : machineView;
  return { status: 200, body: page.map((machine) => view(platform, machine, { eventCount: 5 })), headers: more ? { 'fly-next-cursor': last.id } : {} };
}

/** Claims the volumes of a configuration for a machine and lets go of those it no longer names. */
function bindVolumes({ store }: Platform, machine: MachineRow, config: MachineConfig): void {
  const wanted = (config.mounts ?? []).map((mount) => {
    const volume = store.volume(mount.volume);
    if (!volume || volume.appId !== machine.appId) throw invalid(`volume ${mount.volume} does not exist`);
    if (volume.region !== machine.region) throw invalid(`volume ${volume.id} is in ${volume.region}, the machine in ${machine.region}`);
    if (volume.machineId !== null && volume.machineId !== machine.id) throw precondition(`volume ${volume.id} is currently bound to machine: ${volume.machineId}`);
    return volume;
  });
  for (const volume of store.volumesOf(machine.id)) if (!wanted.some(({ id }) => id === volume.id)) store.saveVolume({ ...volume, machineId: null });
  for (const volume of wanted) store.saveVolume({ ...volume, machineId: machine.id });
}

function checkSecretsVersion(platform: Platform, request: ApiRequest): void {
  const { min_secrets_version: wanted } = request.body;
  if (typeof wanted === 'number' && wanted > findApp(platform, request).secretsVersion) throw precondition(`secrets version ${wanted} is not there yet`);
}

function createMachine(platform: Platform, request: ApiRequest) {
  const { store, lifecycle, images, now } = platform;
  const { body } = request;
  const app = findApp(platform, request);
  const config = acceptConfig(body['config']);
  const region = body['region'] ?? 'sin';
  if (!isRegion(region)) throw invalid(`unknown region ${JSON.stringify(region)}`);
  findImage(images, config.image);
  checkSecretsVersion(platform, request);
  const skip = body['skip_launch'] === true;
  platform.capacity.reserve(app.name, region, config);
  const id = machineId();
  const name = typeof body['name'] === 'string' && body['name'] !== '' ? body['name'] : `machine-${id}`;
  const existing = store.machineByName(app.id, name);
  if (existing) throw new ApiError(409, `already_exists: unique machine name violation, machine ID ${existing.id} already exists with name "${name}"`);

  const time = now();
  const machine: MachineRow = {
    id, appId: app.id, name, region, state: 'created', goal: skip ? 'created' : 'started', config, instanceId: ulid(time), boot: 1, run: null, stopWith: null,
    privateIp: privateIp(), cordoned: body['skip_service_registration'] === true, restartCount: 0, createdAt: time, updatedAt: time, destroyedAt: null,
  };
  const nonce = store.db.transaction(() => {
    bindVolumes(platform, machine, config);
    store.saveMachine(machine);
    store.saveVersion(machine);
    store.addEvent(id, { type: 'launch', status: 'created', source: 'user' });
    return leaseFor(platform, request, machine);
  });
  const view = machineView(platform, machine, nonce === undefined ? {} : { nonce });
  lifecycle.kick(id);
  return ok(view);
}

/** With `lease_ttl` (seconds) the machine is leased by the same request, or the lease that is held goes on for longer. */
function leaseFor({ store, now }: Platform, request: ApiRequest, machine: MachineRow): string | undefined {
  const { lease_ttl: ttl } = request.body;
  if (typeof ttl !== 'number' || ttl <= 0) return undefined;
  const nonce = request.nonce ?? leaseNonce();
  store.saveLease({ machineId: machine.id, nonce, owner: request.who, description: '', expiresAt: now() + ttl * 1000, version: machine.instanceId });
  return nonce;
}

/** Sources disagree about the status of a stale version: 412, and 409 on request. */
export function stale({ faults }: Platform, machine: MachineRow, given: string): ApiError {
  const message = `machine version is ${machine.instanceId}, not ${given}`;
  return faults.speaks('stale-version-409') ? new ApiError(409, `aborted: ${message}`) : precondition(message);
}

function updateMachine(platform: Platform, request: ApiRequest) {
  const { store, lifecycle, images, now } = platform;
  const { body } = request;
  const machine = findReachable(platform, request);
  const { current_version: current } = body;
  if (typeof current === 'string' && current !== machine.instanceId) throw stale(platform, machine, current);
  if (machine.goal === 'destroyed') throw precondition(`unable to update machine from current state: '${machine.state}'`);
  for (const key of ['name', 'region'] as const) {
    const given = body[key];
    if (typeof given === 'string' && given !== '' && given !== machine[key]) throw invalid(`${key} cannot be changed`);
  }
  const config = acceptConfig(body['config']);
  findImage(images, config.image);
  checkSecretsVersion(platform, request);
  if (body['skip_launch'] !== true) platform.capacity.reserve(request.params['app'] ?? '', machine.region, config, machine.id);
  const updated = store.db.transaction(() => {
    bindVolumes(platform, machine, config);
    return store.changeMachine(machine.id, (row) => {
      row.config = config;
      row.instanceId = ulid(now());
      row.boot += 1;
      row.restartCount = 0;
      // as documented: what does not skip the launch is launched, also when it was stopped
      row.goal = body['skip_launch'] === true ? (row.goal === 'created' ? 'created' : 'stopped') : 'started';
      if (row.goal === 'started') row.state = row.run ? 'replacing' : 'starting';
      else if (row.run) row.state = 'stopping';
      store.saveVersion(row);
      store.addEvent(row.id, { type: 'update', status: row.state, source: 'user' });
    });
  });
  const nonce = leaseFor(platform, request, updated ?? machine);
  lifecycle.kick(machine.id, { now: true });
  return ok(machineView(platform, updated ?? machine, nonce === undefined ? {} : { nonce }));
}

function destroyMachine(platform: Platform, request: ApiRequest) {
  const { store, lifecycle } = platform;
  const machine = findForChange(platform, request);
  // sources disagree about the word
  const force = request.query.get('force') === 'true' || request.query.get('kill') === 'true';
  // on a host that cannot be reached it is only marked, and waits
  if (!force && platform.lifecycle.isUnreachable(machine)) throw new ApiError(503, `unavailable: the host of machine ${machine.id} is unreachable`);
  if (!force && machine.goal === 'started' && machine.state !== 'created') {
    throw precondition(`unable to destroy machine, not currently stopped: '${machine.state}'; use force`);
  }
  store.changeMachine(machine.id, (row) => {
    row.goal = 'destroyed';
    row.state = 'destroying';
    if (force) row.stopWith = { signal: 'SIGKILL', timeoutMs: 0 };
    store.addEvent(row.id, { type: 'destroy', status: 'destroying', source: 'user' });
  });
  lifecycle.kick(machine.id, { now: true });
  return ok({ ok: true });
}
