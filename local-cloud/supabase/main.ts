// The gateway as a process of its own. Env: PORT (0 = free), POSTGRES_URL (superuser), SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY, USER_SIGNING_JWK
// (private ES256 JWK, JSON), EXTRA_JWKS (JSON array of public JWKs, or {keys: [...]}), SITE_URL (where mails' links lead), ALLOWED_ORIGINS (comma-separated),
// MAILER_AUTOCONFIRM (false: an address must be confirmed by mail before it can sign in).
import type { JWK } from 'jose';
import { runStandIn } from '../shared/run.ts';
import { startSupabase } from './start.ts';

const invalid = (message: string) => Object.assign(new Error(message), { code: 'env_invalid' });

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw invalid(`${name} is not set.`);
  return value;
}

function parsed(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalid(`${name} is not JSON.`);
  }
}

await runStandIn(async () => {
  const extra = parsed('EXTRA_JWKS', process.env['EXTRA_JWKS'] ?? '[]') as JWK[] | { keys: JWK[] };
  const gateway = await startSupabase({
    port: Number(process.env['PORT'] ?? 0),
    postgresUrl: required('POSTGRES_URL'),
    publishableKey: required('SUPABASE_PUBLISHABLE_KEY'),
    secretKey: required('SUPABASE_SECRET_KEY'),
    userSigningJwk: parsed('USER_SIGNING_JWK', required('USER_SIGNING_JWK')) as JWK,
    extraJwks: Array.isArray(extra) ? extra : extra.keys,
    autoconfirm: process.env['MAILER_AUTOCONFIRM'] !== 'false',
    siteUrl: process.env['SITE_URL'] || undefined,
    allowedOrigins: (process.env['ALLOWED_ORIGINS'] ?? '').split(',').map((origin) => origin.trim()).filter((origin) => origin !== ''),
  });
  return { name: 'supabase', url: gateway.url, port: gateway.port, close: gateway.close };
});
