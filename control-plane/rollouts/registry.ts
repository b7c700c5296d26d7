import { TradeMindError } from '@trademind/core';

/** Where images lie. */
export interface ImageRegistry {
  /** Whether the registry has the image of this digest. Throws `registry_unavailable` when it does not say. */
  has(image: string): Promise<boolean>;
}

export interface RegistryOptions {
  fetch: typeof fetch;
  /** One registry for all images, whatever host they name (the local cloud's); undefined = the host of each image, over https. */
  url: string | undefined;
  /** For Fly's own registry, and for `url`: no other host is ever shown it. */
  flyToken: string;
  timeoutMs?: number;
}

const FLY_REGISTRY = 'registry.fly.io';
const MANIFESTS = ['application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json', 'application/vnd.docker.distribution.manifest.v2+json'].join(', ');

/** Asks a registry for a manifest by its digest. Source: OCI Distribution Specification 1.1, "Checking if content exists in the registry"; token flow as Docker Registry v2 describes it. */
export function createImageRegistry(options: RegistryOptions): ImageRegistry {
  const timeout = () => AbortSignal.timeout(options.timeoutMs ?? 10_000);
  return {
    async has(image) {
      const { host, repository, digest } = partsOf(image);
      const base = options.url ?? `https://${host}`;
      const basic = options.url !== undefined || host === FLY_REGISTRY ? `Basic ${Buffer.from(`x:${options.flyToken}`).toString('base64')}` : null;
      const ask = (authorization: string | null) => options.fetch(`${base}/v2/${repository}/manifests/${digest}`, {
        method: 'HEAD', redirect: 'error', signal: timeout(), headers: { accept: MANIFESTS, ...(authorization === null ? {} : { authorization }) },
      });
      try {
        let answer = await ask(null);
        if (answer.status === 401) {
          const bearer = await tokenOf(answer.headers.get('www-authenticate') ?? '', base, basic);
          answer = await ask(bearer ?? basic);
        }
        if (answer.status === 404) return false;
        if (!answer.ok) throw unavailable(host, `it answers ${answer.status}`);
        const told = answer.headers.get('docker-content-digest');
        return told === null || told === digest;
      } catch (error) {
        throw error instanceof TradeMindError ? error : unavailable(host, 'it does not answer', error);
      }
    },
  };

  /** Some registries hand out a token of their own: `Bearer realm="…",service="…",scope="…"`. Our word goes only to the registry's own host. */
  async function tokenOf(challenge: string, base: string, basic: string | null): Promise<string | null> {
    const parts = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
    if (!/^Bearer /i.test(challenge) || parts['realm'] === undefined || !URL.canParse(parts['realm'])) return null;
    const realm = new URL(parts['realm']);
    if (realm.protocol !== 'https:' && realm.origin !== new URL(base).origin) return null;
    for (const key of ['service', 'scope']) if (parts[key] !== undefined) realm.searchParams.set(key, parts[key]);
    const own = realm.origin === new URL(base).origin;
    const answer = await options.fetch(realm.href, { redirect: 'error', signal: timeout(), headers: own && basic !== null ? { authorization: basic } : {} });
    const body = (await answer.json().catch(() => ({}))) as { token?: unknown; access_token?: unknown };
    const token = body.token ?? body.access_token;
    return typeof token === 'string' ? `Bearer ${token}` : null;
  }
}

/** `registry/repository@sha256:…` in parts; a tag before the digest is dropped, for the digest decides. */
export function partsOf(image: string): { host: string; repository: string; digest: string } {
  const [name = '', digest = ''] = image.split('@');
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const named = /[.:]/.test(first) || first === 'localhost';
  const repository = (named ? name.slice(slash + 1) : name).replace(/:[^/]*$/, '');
  if (!named) return { host: 'registry-1.docker.io', repository: slash < 0 ? `library/${repository}` : repository, digest };
  return { host: first, repository, digest };
}

const unavailable = (host: string, why: string, cause?: unknown) => new TradeMindError({
  code: 'registry_unavailable', message: `The registry ${host} cannot say whether it has the image: ${why}.`, nextStep: 'Repeat in a moment; check the registry and its credentials.', cause,
});
