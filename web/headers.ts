import type { DashboardEnv } from './env.ts';

/** Headers of every answer: the page runs its own script only, talks only to the services named, and is framed by nobody. */
export function securityHeaders(env: Pick<DashboardEnv, 'supabaseUrl' | 'controlPlaneUrl' | 'machineOrigins'>): Record<string, string> {
  const machines = env.machineOrigins.flatMap((origin) => [origin.replace(/^ws/i, 'http'), origin.replace(/^http/i, 'ws')]);
  const connect = new Set(["'self'", new URL(env.supabaseUrl).origin, new URL(env.controlPlaneUrl).origin, ...machines]);
  return {
    'content-security-policy': [
      "default-src 'self'", `connect-src ${[...connect].join(' ')}`, "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "object-src 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
}
