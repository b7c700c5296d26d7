import { setTimeout as sleep } from 'node:timers/promises';
import { TradeMindError } from '@trademind/core';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { confirm } from '../prompts/confirm.ts';
import { findLocalCloud, findMachine } from '../services/local-cloud.ts';
import { HttpError } from '../services/http.ts';

/** A machine may drain for 25 s before it goes. */
const PATIENCE_MS = 60_000;

/** `trademind destroy`: machine, volume and app go; waits until they are gone. */
export async function destroy(options: { data?: string; json?: boolean; yes?: boolean }, io: Io): Promise<number> {
  const { control } = findLocalCloud(options.data, io);
  const machine = await findMachine(control);
  if (!options.yes) {
    if (options.json || !io.interactive) throw new TradeMindError({ code: 'usage', field: '--yes', message: 'Destroying is final; nobody can be asked here.', nextStep: 'Say it with --yes.' });
    if (!(await confirm(`Destroy ${machine.app ?? 'your machine'} with its volume? Traders and signals stay.`, io))) return EXIT.interrupted;
  }
  const began = io.now();
  await control.destroy(machine.id);
  if (!options.json) io.stdout('The machine finishes its work and is destroyed …\n');
  while (io.now() - began < PATIENCE_MS) {
    if (await isGone(control, machine.id)) {
      io.stdout(options.json ? `${JSON.stringify({ destroyed: true, id: machine.id })}\n` : 'App, machine and volume are gone.\n');
      return EXIT.ok;
    }
    await sleep(250);
  }
  throw new TradeMindError({ code: 'timeout', message: 'The machine is still being destroyed.', nextStep: 'It goes on by itself; see `npx trademind status`.' });
}

async function isGone(control: ReturnType<typeof findLocalCloud>['control'], id: string): Promise<boolean> {
  try {
    return (await control.machine(id)).phase === 'destroyed';
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return true;
    throw error;
  }
}
