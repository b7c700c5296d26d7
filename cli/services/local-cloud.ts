import { TradeMindError, type MachineView } from '@trademind/core';
import { foldersOf } from '../dev/data-folder.ts';
import { isRunning, readRunning, type Running, type Urls } from '../dev/lock.ts';
import { readSecrets, type Secrets } from '../dev/secrets.ts';
import type { Io } from '../io.ts';
import { dataFolder } from '../paths.ts';
import { controlPlane, type ControlPlane } from './control-plane.ts';
import { DEMO_EMAIL } from './demo-user.ts';
import { gateway, type Gateway } from './gateway.ts';
import { keepSignedIn, type Session } from './session.ts';

/** A running local cloud, with its demo user signed in on demand. */
export interface LocalCloud {
  running: Running;
  urls: Urls;
  secrets: Secrets;
  gateway: Gateway;
  session: Session;
  control: ControlPlane;
}

/** Finds the local cloud that runs on a data folder. Throws `not_running`. */
export function findLocalCloud(data: string | undefined, io: Pick<Io, 'cwd' | 'now'>): LocalCloud {
  const folder = foldersOf(dataFolder(data, io.cwd));
  const running = readRunning(folder.running);
  const secrets = isRunning(running) ? readSecrets(folder.secrets) : undefined;
  if (!isRunning(running) || !secrets) {
    throw new TradeMindError({
      code: 'not_running', message: `No local cloud runs on ${folder.path}.`,
      nextStep: 'Start one with `npm start` in another terminal, or name its folder with --data DIR.',
    });
  }
  if (!running.urls) throw new TradeMindError({ code: 'not_running', message: 'The local cloud is still starting.', nextStep: 'Try again in a few seconds.' });
  const auth = gateway({ url: running.urls.supabase, publishableKey: secrets.publishableKey });
  const session = keepSignedIn(auth, DEMO_EMAIL, secrets.demoPassword, io.now);
  return { running, urls: running.urls, secrets, gateway: auth, session, control: controlPlane({ url: running.urls.controlPlane, token: session.token }) };
}

/** The user's machine. Throws `no_machine`. */
export async function findMachine(control: Pick<ControlPlane, 'machines'>): Promise<MachineView> {
  const machine = (await control.machines()).find(({ phase }) => phase !== 'destroyed');
  if (machine) return machine;
  throw new TradeMindError({ code: 'no_machine', message: 'You have no machine.', nextStep: 'Get one with `npx trademind deploy`.' });
}
