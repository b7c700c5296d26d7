import { z } from 'zod';
import { Volume } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** Volumes: one host, one region, bound to a machine until that machine is fully gone. A name is NOT unique: look before creating. */
export interface FlyVolumes {
  list(app: string, options?: CallOptions): Promise<Volume[]>;
  get(app: string, volumeId: string, options?: CallOptions): Promise<Volume>;
  create(app: string, wish: { name: string; region: string; sizeGb: number }, options?: CallOptions): Promise<Volume>;
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
      body: { name: wish.name, region: wish.region, size_gb: wish.sizeGb, encrypted: true }, parse: Volume.parse, options,
    })).value,
    delete: async (app, volumeId, options) => {
      await send({
        kind: 'write', doing: `delete volume ${volumeId}`, method: 'DELETE', path: path('apps', app, 'volumes', volumeId), parse: () => undefined, options,
      });
    },
  };
}
