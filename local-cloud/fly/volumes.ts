import { ApiError, invalid, notFound, precondition } from './api-error.ts';
import { findApp } from './find.ts';
import { snapshotId, volumeId } from './ids.ts';
import type { Platform } from './platform.ts';
import { isRegion } from './regions.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { SnapshotRow, VolumeRow } from './types.ts';

const AT = '/apps/:app/volumes/:volume';

export function volumeRoutes(platform: Platform): Route[] {
  const { store } = platform;
  return [
    { method: 'GET', path: '/apps/:app/volumes', verb: 'volume.list', limit: 'action', handle: (request) => ok(store.volumes(findApp(platform, request).id).map((volume) => view(platform, volume))) },
    { method: 'POST', path: '/apps/:app/volumes', verb: 'volume.create', limit: 'action', handle: (request) => create(platform, request) },
    { method: 'GET', path: AT, verb: 'volume.get', limit: 'action', handle: (request) => ok(view(platform, find(platform, request))) },
    { method: 'PUT', path: `${AT}/extend`, verb: 'volume.extend', limit: 'action', handle: (request) => {
      const volume = find(platform, request);
      const sizeGb = size(request.body['size_gb']);
      if (sizeGb < volume.sizeGb) throw invalid('a volume cannot shrink');
      store.saveVolume({ ...volume, sizeGb });
      return ok({ volume: view(platform, { ...volume, sizeGb }), needs_restart: false });
    } },
    { method: 'PUT', path: AT, verb: 'volume.update', limit: 'action', handle: (request) => update(platform, request) },
    { method: 'GET', path: `${AT}/snapshots`, verb: 'volume.snapshots', limit: 'action', handle: (request) => ok(store.snapshots(find(platform, request).id).map((row) => snapshotView(platform, row))) },
    { method: 'POST', path: `${AT}/snapshots`, verb: 'volume.snapshot', limit: 'action', handle: (request) => takeSnapshot(platform, request) },
    { method: 'DELETE', path: AT, verb: 'volume.delete', limit: 'action', handle: async (request) => {
      const volume = find(platform, request);
      if (volume.machineId !== null) throw precondition(`volume ${volume.id} is currently bound to machine: ${volume.machineId}`);
      store.dropVolume(volume.id);
      await platform.folders.remove(volume.id);
      return ok({ ...view(platform, volume), state: 'destroyed' });
    } },
  ];
}

function find(platform: Platform, request: ApiRequest): VolumeRow {
  const app = findApp(platform, request);
  const volume = platform.store.volume(request.params['volume'] ?? '');
  if (!volume || volume.appId !== app.id) throw notFound('volume');
  return volume;
}

function size(given: unknown): number {
  if (!Number.isInteger(given) || (given as number) < 1 || (given as number) > 500) throw new ApiError(400, 'invalid_argument: size_gb must be 1 to 500');
  return given as number;
}

async function create(platform: Platform, request: ApiRequest): Promise<ApiAnswer> {
  const { name, region, snapshot_id: from } = request.body;
  const app = findApp(platform, request);
  if (typeof name !== 'string' || !/^[a-z0-9_]{1,30}$/.test(name)) throw invalid('name must be lower-case letters, digits and underscores, at most 30');
  if (!isRegion(region)) throw invalid(`unknown region ${JSON.stringify(region)}`);
  const snapshot = typeof from === 'string' ? platform.store.snapshot(from) : undefined;
  if (from != null && !snapshot) throw invalid(`snapshot ${JSON.stringify(from)} does not exist`);
  platform.capacity.reserveVolume(app.name, region);
  const volume: VolumeRow = { id: volumeId(), appId: app.id, name, region, sizeGb: size(request.body['size_gb'] ?? snapshot?.sizeGb ?? 3), machineId: null, createdAt: platform.now() };
  if (snapshot) await platform.folders.restore(snapshot.id, volume.id);
  platform.store.saveVolume(volume);
  return ok(view(platform, volume));
}

function update(platform: Platform, request: ApiRequest): ApiAnswer {
  const volume = find(platform, request);
  const { snapshot_retention: days, auto_backup_enabled: backup } = request.body;
  if (days != null && (!Number.isInteger(days) || (days as number) < 1 || (days as number) > 60)) throw new ApiError(400, 'invalid_argument: snapshot_retention must be 1 to 60 days');
  if (backup != null && typeof backup !== 'boolean') throw new ApiError(400, 'invalid_argument: auto_backup_enabled must be true or false');
  const changed: VolumeRow = { ...volume, ...(days == null ? {} : { snapshotRetention: days as number }), ...(backup == null ? {} : { autoBackup: backup }) };
  platform.store.saveVolume(changed);
  return ok(view(platform, changed));
}

async function takeSnapshot(platform: Platform, request: ApiRequest): Promise<ApiAnswer> {
  const volume = find(platform, request);
  const snapshot: SnapshotRow = { id: snapshotId(), volumeId: volume.id, createdAt: platform.now(), sizeGb: volume.sizeGb };
  await platform.folders.snapshot(volume.id, snapshot.id);
  platform.store.saveSnapshot(snapshot);
  return ok(snapshotView(platform, snapshot));
}

const snapshotView = (platform: Platform, snapshot: SnapshotRow) => ({
  id: snapshot.id, status: 'created', size: 0, digest: '', created_at: new Date(snapshot.createdAt + platform.skew()).toISOString(), retention_days: platform.store.volume(snapshot.volumeId)?.snapshotRetention ?? 5,
});

function view(platform: Platform, volume: VolumeRow): Record<string, unknown> {
  const machine = volume.machineId === null ? undefined : platform.store.machine(volume.machineId);
  return {
    id: volume.id, name: volume.name, state: 'created', region: volume.region, size_gb: volume.sizeGb, encrypted: true, attached_machine_id: volume.machineId,
    attached_alloc_id: null, created_at: new Date(volume.createdAt + platform.skew()).toISOString(),
    host_status: machine ? platform.lifecycle.hostOf(machine) : 'ok', fstype: 'ext4', snapshot_retention: volume.snapshotRetention ?? 5, auto_backup_enabled: volume.autoBackup ?? true,
  };
}
