import type { Fate } from './pass.ts';
import type { Platform } from './platform.ts';
import { REGIONS } from './regions.ts';
import type { AppRow } from './types.ts';

/** The part of Fly's GraphQL API that clients of the Machines API still use: for them a few things are there alone. */
const SCHEMA = `
type Query { app(name: String!): App  organization(slug: String!): Organization  platform: Platform! }
type Mutation {
  setSecrets(input: SetSecretsInput!): SecretsPayload
  unsetSecrets(input: UnsetSecretsInput!): SecretsPayload
  allocateIpAddress(input: AllocateIPAddressInput!): AllocateIPAddressPayload
  releaseIpAddress(input: ReleaseIPAddressInput!): ReleaseIPAddressPayload
}
type App { id: ID!  name: String!  status: String!  organization: Organization!  ipAddresses: IPAddresses! }
type Organization { id: ID!  slug: String!  name: String!  type: String!  viewerRole: String! }
type IPAddresses { nodes: [IPAddress!]! }
type IPAddress { id: ID!  address: String!  type: String!  region: String  createdAt: String }
type Platform { requestRegion: String  regions: [Region!]! }
type Region { name: String!  code: String!  latitude: Float  longitude: Float  gatewayAvailable: Boolean!  requiresPaidPlan: Boolean! }
input SecretInput { key: String!  value: String! }
input SetSecretsInput { appId: ID!  secrets: [SecretInput!]!  replaceAll: Boolean }
input UnsetSecretsInput { appId: ID!  keys: [String!]! }
type SecretsPayload { release: Release }
type Release { id: ID!  version: Int!  reason: String  description: String  user: User  evaluationId: String  createdAt: String }
type User { id: ID!  email: String  name: String }
input AllocateIPAddressInput { appId: ID!  type: String!  organizationId: ID  region: String  network: ID }
type AllocateIPAddressPayload { ipAddress: IPAddress }
input ReleaseIPAddressInput { appId: ID  ipAddressId: ID  ip: String }
type ReleaseIPAddressPayload { app: App }
`;

/** Runs a verb of the Machines API for this caller, with all that every request passes. */
export type RunVerb = (method: string, path: string, body?: unknown) => Promise<Fate>;

/** The fate of a verb that was no answer, so that the whole request shares it. */
class Lost extends Error {
  readonly fate: Fate;
  constructor(fate: Fate) {
    super('no answer');
    this.fate = fate;
  }
}

interface Ip { ip: string; type: string; region: string; created_at: string }
const address = ({ ip, type, region, created_at: createdAt }: Ip) => ({ id: ip, address: ip, type, region, createdAt });
const organization = (slug: string) => ({ id: slug, slug, name: slug, type: slug === 'personal' ? 'PERSONAL' : 'SHARED', viewerRole: 'admin' });

/** Answers a request to `/graphql`. The library is loaded with the first of them: most callers never come here. */
export async function answerGraphql(platform: Platform, run: RunVerb, body: { query?: unknown; variables?: unknown }): Promise<Fate> {
  const { buildSchema, graphql } = await import('graphql');
  const verb = async <T>(method: string, path: string, given?: unknown): Promise<T> => {
    const fate = await run(method, path, given);
    if (fate.kind !== 'answer') throw new Lost(fate);
    if (fate.status >= 400) throw new Error((fate.body as { error: string }).error);
    return fate.body as T;
  };
  const nameOf = (id: string) => encodeURIComponent(platform.store.appById(id)?.name ?? id);
  const app = async (id: string) => {
    const row = await verb<{ id: string; name: string; status: string; organization: { slug: string } }>('GET', `/apps/${nameOf(id)}`);
    const { ips } = await verb<{ ips: Ip[] }>('GET', `/apps/${nameOf(id)}/ip_assignments`);
    return { ...row, organization: organization(row.organization.slug), ipAddresses: { nodes: ips.map(address) } };
  };
  const secrets = async (id: string, values: Record<string, string | null>) => {
    const { version } = await verb<{ version: number }>('POST', `/apps/${nameOf(id)}/secrets`, { values });
    return { release: { id: `${id}-${version}`, version, reason: 'secrets changed', description: '', user: null, evaluationId: '', createdAt: new Date(platform.now() + platform.skew()).toISOString() } };
  };
  const kept = (id: string): string[] => {
    const row: AppRow | undefined = platform.store.appById(id) ?? platform.store.app(id);
    return row ? platform.store.secrets(row.id).map(({ name }) => name) : [];
  };
  const roots = {
    app: ({ name }: { name: string }) => app(name),
    organization: ({ slug }: { slug: string }) => organization(slug),
    platform: () => ({ requestRegion: 'sin', regions: REGIONS.map((region) => ({ ...region, gatewayAvailable: true, requiresPaidPlan: false })) }),
    setSecrets: ({ input }: { input: { appId: string; secrets: { key: string; value: string }[]; replaceAll?: boolean } }) => secrets(input.appId, {
      ...(input.replaceAll ? Object.fromEntries(kept(input.appId).map((key) => [key, null])) : {}), ...Object.fromEntries(input.secrets.map(({ key, value }) => [key, value])),
    }),
    unsetSecrets: ({ input }: { input: { appId: string; keys: string[] } }) => secrets(input.appId, Object.fromEntries(input.keys.map((key) => [key, null]))),
    allocateIpAddress: async ({ input }: { input: { appId: string; type: string; region?: string } }) =>
      ({ ipAddress: address(await verb<Ip>('POST', `/apps/${nameOf(input.appId)}/ip_assignments`, { type: input.type, ...(input.region === undefined ? {} : { region: input.region }) })) }),
    releaseIpAddress: async ({ input }: { input: { appId?: string; ipAddressId?: string; ip?: string } }) => {
      await verb('DELETE', `/apps/${nameOf(input.appId ?? '')}/ip_assignments/${encodeURIComponent(input.ip ?? input.ipAddressId ?? '')}`);
      return { app: await app(input.appId ?? '') };
    },
  };
  if (typeof body.query !== 'string') return { kind: 'answer', status: 400, body: { errors: [{ message: 'query is required' }] } };
  const result = await graphql({ schema: buildSchema(SCHEMA), source: body.query, rootValue: roots, variableValues: (body.variables ?? {}) as Record<string, unknown> });
  const lost = result.errors?.map(({ originalError }) => originalError).find((error) => error instanceof Lost);
  return lost ? lost.fate : { kind: 'answer', status: 200, body: result };
}
