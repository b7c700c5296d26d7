import type { MachineView, TraderInput } from '@trademind/core';
import type { ControlPlane } from '../services/control-plane.ts';
import { DEMO_EMAIL, LOCAL_ENVIRONMENT } from '../services/demo-user.ts';
import type { Gateway } from '../services/gateway.ts';
import { HttpError } from '../services/http.ts';
import { keepSignedIn, type Session } from '../services/session.ts';

/** Signs the demo user in; makes the account first when there is none. */
export async function signInDemoUser(gateway: Gateway, secrets: { secretKey: string; demoPassword: string }, now: () => number): Promise<Session> {
  const session = keepSignedIn(gateway, DEMO_EMAIL, secrets.demoPassword, now);
  try {
    await session.current();
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'not_signed_in') throw error;
    await gateway.createUser(secrets.secretKey, DEMO_EMAIL, secrets.demoPassword);
    await session.current();
  }
  return session;
}

/** Stores the templates the first time; what the user then does with them is left alone. Resolves with the names of the traders that run. */
export async function storeTemplates(controlPlane: Pick<ControlPlane, 'traders' | 'addTrader'>, templates: readonly TraderInput[], firstTime: boolean): Promise<string[]> {
  const stored = await controlPlane.traders();
  const names = stored.filter(({ enabled }) => enabled).map(({ name }) => name);
  if (!firstTime) return names;
  const present = new Set(stored.map(({ name }) => name));
  for (const template of templates.filter(({ name }) => !present.has(name))) {
    try {
      await controlPlane.addTrader({ document: template });
    } catch (error) {
      // A start that was cut short may have stored it a moment ago.
      if (!(error instanceof HttpError && error.status === 409)) throw error;
    }
    names.push(template.name);
  }
  return names;
}

/** Wishes the demo user's machine; one that is there already is the answer. One that was stopped is wished to run again. */
export async function deployMachine(controlPlane: Pick<ControlPlane, 'deploy' | 'change'>, signal: AbortSignal): Promise<MachineView> {
  const machine = await controlPlane.deploy({ environment: LOCAL_ENVIRONMENT }, signal);
  return machine.desired.state === 'stopped' ? controlPlane.change(machine.id, { desired: 'started' }) : machine;
}
