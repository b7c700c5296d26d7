import { IpAssignment, IpAssignments } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

export type IpType = 'shared_v4' | 'v4' | 'v6' | 'private_v6' | 'egress_v4' | 'egress_v6';

/** The public addresses of an app. Shared v4 and v6 cost nothing; a dedicated v4 does. */
export interface FlyIpAssignments {
  list(app: string, options?: CallOptions): Promise<IpAssignment[]>;
  create(app: string, wish: { type: IpType; region?: string | undefined }, options?: CallOptions): Promise<IpAssignment>;
  delete(app: string, ip: string, options?: CallOptions): Promise<void>;
}

export function createIpAssignments(send: Send): FlyIpAssignments {
  return {
    list: async (app, options) => (await send({
      kind: 'read', doing: `list addresses of ${app}`, method: 'GET', path: path('apps', app, 'ip_assignments'), parse: IpAssignments.parse, options,
    })).value,
    create: async (app, wish, options) => (await send({
      kind: 'write', doing: `give ${app} a ${wish.type} address`, method: 'POST', path: path('apps', app, 'ip_assignments'),
      body: { type: wish.type, region: wish.region }, parse: IpAssignment.parse, options,
    })).value,
    delete: async (app, ip, options) => {
      await send({
        kind: 'write', doing: `release address ${ip} of ${app}`, method: 'DELETE', path: path('apps', app, 'ip_assignments', ip), parse: () => undefined, options,
      });
    },
  };
}
