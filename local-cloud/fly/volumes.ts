import { ApiError, invalid, notFound, precondition } from './api-error.ts';
import { findApp } from './find.ts';
import { volumeId } from './ids.ts';
import type { Platform } from './platform.ts';
import { isRegion } from './regions.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { VolumeRow } from './types.ts';

const AT = '/apps/:app/volumes/:volume';

export function volumeRoutes(platform: Platform): Route[] {
  const { store } = platform;
  return [
    { method: 'GET', path: '/apps/:app/volumes', verb: 'volume.list', limit: 'action', handle: (request) => ok(store.volumes(findApp(platform, request).id).map(view)) },
    { method: 'POST', path: '/apps/:app/volumes', verb: 'volume.create', limit: 'action', handle: (request) => create(platform, request) },
    { method: 'GET', path: AT, verb: 'volume.get', limit: 'action', handle: (request) => ok(view(find(platform, request))) },
    { method: 'PUT', path: `${AT}/extend`, verb: 'volume.extend', limit: 'action', handle: (request) => {
      const volume = find(platform, request);
      const sizeGb = size(request.body['size_gb']);
      if (sizeGb < volume.sizeGb) throw invalid('a volume cannot shrink');
      store.saveVolume({ ...volume, sizeGb });
      return ok({ volume: view({ ...volume, sizeGb }), needs_restart: false });
    } },
    { method: 'DELETE', path: AT, verb: 'volume.delete', limit: 'action', handle: async (request) => {
      const volume = find(platform, request);
      if (volume.machineId !== null) throw precondition(`volume ${volume.id} is currently bound to machine: ${volume.machineId}`);
      store.dropVolume(volume.id);
      await platform.removeVolume(volume.id);
      return ok({ ...view(volume), state: 'destroyed' });
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

function create(platform: Platform, request: ApiRequest): ApiAnswer {
  const { name, region } = request.body;
  const app = findApp(platform, request);
  if (typeof name !== 'string' || !/^[a-z0-9_]{1,30}$/.test(name)) throw invalid('name must be lower-case letters, digits and underscores, at most 30');
  if (!isRegion(region)) throw invalid(`unknown region ${JSON.stringify(region)}`);
  const volume: VolumeRow = { id: volumeId(), appId: app.id, name, region, sizeGb: size(request.body['size_gb'] ?? 3), machineId: null, createdAt: platform.now() };
  platform.store.saveVolume(volume);
  return ok(view(volume));
}

function view(volume: VolumeRow): Record<string, unknown> {
  return {
    id: volume.id, name: volume.name, state: 'created', region: volume.region, size_gb: volume.sizeGb, encrypted: true, attached_machine_id: volume.machineId,
    attached_alloc_id: null, created_at: new Date(volume.createdAt).toISOString(), host_status: 'ok', fstype: 'ext4', snapshot_retention: 5, auto_backup_enabled: true,
  };
}
