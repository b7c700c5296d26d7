import { z } from 'zod';
import { ExtendedVolume, Volume, VolumeSnapshot } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** Volumes: one host, one region, bound to a machine until that machine is fully gone. A name is NOT unique: look before creating. */
export interface FlyVolumes {
  list(app: string, options?: CallOptions): Promise<Volume[]>;
  get(app: string, volumeId: string, options?: CallOptions): Promise<Volume>;
  /** `snapshotId`: with what it holds. */
  create(app: string, wish: { name: string; region: string; sizeGb: number; snapshotId?: string | undefined }, options?: CallOptions): Promise<Volume>;
  /** A volume only grows; `needsRestart`: the machine sees it after its next boot. */
  extend(app: string, volumeId: string, sizeGb: number, options?: CallOptions): Promise<{ volume: Volume; needsRestart: boolean }>;
  snapshots(app: string, volumeId: string, options?: CallOptions): Promise<VolumeSnapshot[]>;
  takeSnapshot(app: string, volumeId: string, options?: CallOptions): Promise<void>;
  delete(app: string, volumeId: string, options?: CallOptions): Promise<void>;
}

export function createVolumes(send: Send): FlyVolumes {
  return {
    list: async (app, options) => (await send({
      kind: 'read', doing: `list volumes of ${app}`, method: 'GET', path: path('apps', app, 'volumes'), parse: z.array(Volume).parse, options,
    })).value,
    get: async (app, volumeId, options) => (await send({
      kind: 'read', doing: `read volume ${volumeId}`, method: 'GET', path: path('apps', app, 'volumes', volumeId), parse: Volume.parse, options,
    })).value,
    create: async (app, wish, options) => (await send({
      kind: 'write', doing: `create volume ${wish.name} in ${wish.region}`, method: 'POST', path: path('apps', app, 'volumes'),
      body: { name: wish.name, region: wish.region, size_gb: wish.sizeGb, encrypted: true, snapshot_id: wish.snapshotId }, parse: Volume.parse, options,
    })).value,
    extend: async (app, volumeId, sizeGb, options) => {
      const { value } = await send({
        kind: 'write', doing: `extend volume ${volumeId} to ${sizeGb} GB`, method: 'PUT', path: path('apps', app, 'volumes', volumeId, 'extend'), body: { size_gb: sizeGb }, parse: ExtendedVolume.parse, options,
      });
      return { volume: value.volume, needsRestart: value.needs_restart ?? false };
    },
    snapshots: async (app, volumeId, options) => (await send({
      kind: 'read', doing: `list snapshots of volume ${volumeId}`, method: 'GET', path: path('apps', app, 'volumes', volumeId, 'snapshots'), parse: z.array(VolumeSnapshot).nullish().parse, options,
    })).value ?? [],
    takeSnapshot: async (app, volumeId, options) => {
      await send({
        kind: 'write', doing: `take a snapshot of volume ${volumeId}`, method: 'POST', path: path('apps', app, 'volumes', volumeId, 'snapshots'), parse: () => undefined, options,
      });
    },
    delete: async (app, volumeId, options) => {
      await send({
        kind: 'write', doing: `delete volume ${volumeId}`, method: 'DELETE', path: path('apps', app, 'volumes', volumeId), parse: () => undefined, options,
      });
    },
  };
}
