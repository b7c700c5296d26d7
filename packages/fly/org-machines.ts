import { flyError } from './errors.ts';
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

/**
 * All pages of an organisation's machines. Ends where Fly gives no cursor, and throws `fly_unexpected_answer` when it gives one that it gave before: a
 * listing that goes round in a circle must not look complete. A machine may be on two pages.
 */
export async function* fleetPages(listOrgMachines: ListOrgMachines, query: Omit<FleetQuery, 'cursor'>, options?: CallOptions): AsyncGenerator<FleetPage> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await listOrgMachines({ ...query, cursor }, options);
    yield page;
    cursor = page.nextCursor;
    if (cursor !== undefined && seen.has(cursor)) throw flyError('fly_unexpected_answer', `list machines of organisation ${query.org}: Fly gave the cursor ${cursor} twice`);
    if (cursor !== undefined) seen.add(cursor);
  } while (cursor !== undefined);
}

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
