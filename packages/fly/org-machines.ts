import { OrgMachinesPage, type OrgMachine } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** One page of the whole fleet. A short or even empty page may have more behind it: only an absent `nextCursor` is the end. */
export interface FleetPage {
  machines: OrgMachine[];
  nextCursor: string | undefined;
  lastMachineId: string | undefined;
  lastUpdatedAt: string | undefined;
  /** Regions that were not read: an absence there means nothing. */
  errorRegions: string[];
}

export interface FleetQuery { org: string; updatedAfter?: string | undefined; cursor?: string | undefined; limit?: number | undefined }

/** Reads one page of an organisation's machines. Eventually consistent, in no certain order: overlap the windows. */
export type ListOrgMachines = (query: FleetQuery, options?: CallOptions) => Promise<FleetPage>;

export function createListOrgMachines(send: Send): ListOrgMachines {
  return async (query, options) => {
    const { value } = await send({
      kind: 'read', doing: `list machines of organisation ${query.org}`, method: 'GET', path: path('orgs', query.org, 'machines'),
      query: { updated_after: query.updatedAfter, cursor: query.cursor, limit: query.limit }, parse: OrgMachinesPage.parse, options,
    });
    return {
      machines: value.machines,
      nextCursor: value.next_cursor || undefined,
      lastMachineId: value.last_machine_id ?? undefined,
      lastUpdatedAt: value.last_updated_at ?? undefined,
      errorRegions: value.error_regions,
    };
  };
}
