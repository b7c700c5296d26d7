import { createApps, type FlyApps } from './apps.ts';
import { createIpAssignments, type FlyIpAssignments } from './ip-assignments.ts';
import { createLeases, type FlyLeases } from './leases.ts';
import { createMachines, type FlyMachines } from './machines.ts';
import { createListOrgMachines, type ListOrgMachines } from './org-machines.ts';
import { createSecrets, type FlySecrets } from './secrets.ts';
import { Regions } from './shapes.ts';
import { createSend, type CallOptions, type FlyClientOptions } from './transport.ts';
import { createVolumes, type FlyVolumes } from './volumes.ts';

/** The Machines API, typed. Nothing is repeated inside: every method sends one request (a list that pages sends one a page). All throw FlyError. */
export interface FlyClient {
  apps: FlyApps;
  machines: FlyMachines;
  leases: FlyLeases;
  volumes: FlyVolumes;
  secrets: FlySecrets;
  ipAssignments: FlyIpAssignments;
  listOrgMachines: ListOrgMachines;
  /** Codes of the regions of the platform. */
  listRegions(options?: CallOptions): Promise<string[]>;
}

export function createFlyClient(options: FlyClientOptions): FlyClient {
  const send = createSend(options);
  return {
    apps: createApps(send),
    machines: createMachines(send),
    leases: createLeases(send),
    volumes: createVolumes(send),
    secrets: createSecrets(send),
    ipAssignments: createIpAssignments(send),
    listOrgMachines: createListOrgMachines(send),
    listRegions: async (call) => (await send({
      kind: 'read', doing: 'list regions', method: 'GET', path: '/platform/regions', parse: Regions.parse, options: call,
    })).value,
  };
}
