import { z } from 'zod';
import { App, AppList, CreatedApp } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** Apps. A name is unique in all of Fly: `get` throws `fly_forbidden` when another organisation has it; only `fly_not_found` means free. */
export interface FlyApps {
  get(app: string, options?: CallOptions): Promise<App>;
  /** `idempotencyKey`: the same key and name answers the first app again. A taken name throws `fly_already_exists`. */
  create(wish: { name: string; orgSlug: string; network?: string | undefined; idempotencyKey?: string | undefined }, options?: CallOptions): Promise<CreatedApp>;
  /** Machines, volumes and addresses go with it; `force` without waiting for them to shut down. */
  delete(app: string, options?: CallOptions & { force?: boolean | undefined }): Promise<void>;
  /** All of an organisation's, page by page while Fly gives a cursor. */
  list(filter: { orgSlug: string; limit?: number | undefined }, options?: CallOptions): Promise<App[]>;
}

const Nothing = z.unknown().transform(() => undefined);

export function createApps(send: Send): FlyApps {
  return {
    get: async (app, options) =>
      (await send({ kind: 'read', doing: `read app ${app}`, method: 'GET', path: path('apps', app), parse: App.parse, options })).value,

    create: async (wish, options) => (await send({
      kind: 'write', doing: `create app ${wish.name}`, method: 'POST', path: '/apps',
      // sources disagree (`app_name` in the docs): the first
      body: { name: wish.name, org_slug: wish.orgSlug, network: wish.network, idempotency_key: wish.idempotencyKey },
      parse: CreatedApp.parse, options,
    })).value,

    delete: async (app, options) => {
      await send({
        kind: 'write', doing: `delete app ${app}`, method: 'DELETE', path: path('apps', app),
        query: { force: options?.force ? true : undefined }, parse: Nothing.parse, options,
      });
    },

    async list(filter, options) {
      const apps: App[] = [];
      let cursor: string | undefined;
      do {
        const { value, nextCursor } = await send({
          kind: 'read', doing: `list apps of ${filter.orgSlug}`, method: 'GET', path: '/apps',
          query: { org_slug: filter.orgSlug, cursor, limit: filter.limit }, parse: AppList.parse, options,
        });
        apps.push(...value.apps);
        // where the cursor stands is not documented: in the body or in the header of the list of machines; never twice the same
        const next = value.next_cursor || nextCursor;
        cursor = next === cursor ? undefined : next;
      } while (cursor !== undefined);
      return apps;
    },
  };
}
