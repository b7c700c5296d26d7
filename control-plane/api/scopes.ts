import type { AccessScope } from '@trademind/core';
import type { Caller } from './auth.ts';
import { ApiProblem } from './problems.ts';

/** Below these only operators. */
const OPERATORS = /^\/v1\/(fleet|releases|rollouts|users|audit)(\/|$)/;
/** What a script may do with an access token; what stands nowhere is for a signed-in user alone. The first that fits counts. */
const SCOPES: readonly (readonly [methods: RegExp, route: RegExp, scope: AccessScope])[] = [
  [/./, OPERATORS, 'operator'],
  [/^POST$/, /^\/v1\/machines\/:id\/ticket$/, 'machines:ticket'],
  [/^(GET|HEAD)$/, /^\/v1\/machines(\/|$)/, 'machines:read'],
  [/./, /^\/v1\/machines(\/|$)/, 'machines:write'],
  [/^(GET|HEAD)$/, /^\/v1\/traders(\/|$)/, 'traders:read'],
  [/./, /^\/v1\/traders(\/|$)/, 'traders:write'],
  [/^(GET|HEAD)$/, /^\/v1\/(me|me\/cost|plans)$/, 'me:read'],
];

/** The scope that an access token needs for a route; null: none suffices. Pure. */
export const scopeOf = (method: string, route: string): AccessScope | null => SCOPES.find(([methods, routes]) => methods.test(method) && routes.test(route))?.[2] ?? null;

/** Throws 403 when this caller may not use this route at all. What of it the caller sees, the database decides. */
export function refuseCaller(caller: Caller, method: string, route: string): void {
  if (OPERATORS.test(route) && !caller.operator) throw new ApiProblem(403, { code: 'operator_only', message: 'This is for operators.', nextStep: 'Ask an operator.' });
  if (caller.scopes === null) return;
  const scope = scopeOf(method, route);
  if (scope === null) throw new ApiProblem(403, { code: 'session_only', message: 'This needs a signed-in user, not an access token.', nextStep: 'Sign in, and do it there.' });
  if (!caller.scopes.includes(scope)) throw new ApiProblem(403, { code: 'scope_missing', message: `The access token lacks the scope "${scope}".`, nextStep: 'Make a token with that scope.' });
}
