/** Where links may lead: the site and the origins that the project allows. */
export interface Redirects { siteUrl: string; allowedOrigins: readonly string[] }

/** `wanted` when its origin is the site's or an allowed one, else the site: a link in a mail never carries a session elsewhere. */
export function redirectTarget(wanted: string | null | undefined, { siteUrl, allowedOrigins }: Redirects): string {
  if (wanted === null || wanted === undefined || !URL.canParse(wanted)) return siteUrl;
  const { origin, protocol } = new URL(wanted);
  const known = origin === new URL(siteUrl).origin || allowedOrigins.includes(origin);
  return known && /^https?:$/.test(protocol) ? wanted : siteUrl;
}

/** Implicit flow: the session stands behind `#`, which no server is sent. */
export function withFragment(target: string, values: Readonly<Record<string, unknown>>): string {
  const fragment = new URLSearchParams(Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]));
  return `${target.split('#')[0] as string}#${fragment.toString()}`;
}

export function withQuery(target: string, values: Readonly<Record<string, string>>): string {
  const url = new URL(target);
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, value);
  return url.href;
}
