import { DEFAULT_REGION, DEFAULT_SIZE, TradeMindError, type MachineSize, type MachineView } from '@trademind/core';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { createTerminal } from '../output/terminal.ts';
import { createStory } from '../dev/story.ts';
import { followMachine } from '../dev/follow.ts';
import { askDeployment } from '../prompts/deploy.ts';
import type { ControlPlane } from '../services/control-plane.ts';
import { LOCAL_ENVIRONMENT } from '../services/demo-user.ts';
import { findLocalCloud } from '../services/local-cloud.ts';
import { parseSize } from '../services/size.ts';

interface Options { data?: string; json?: boolean; region?: string; size?: string; yes?: boolean }

/** `trademind deploy`: asks (or takes flags), wishes the machine and follows it until it screens. */
export async function deploy(options: Options, io: Io): Promise<number> {
  const given = { ...(options.region ? { region: options.region } : {}), ...(options.size ? { size: parseSize(options.size) } : {}) };
  const { control } = findLocalCloud(options.data, io);
  const asking = !options.yes && !options.json && io.interactive;
  if (!asking && !options.yes) {
    throw new TradeMindError({ code: 'usage', field: '--yes', message: 'Nobody can be asked here.', nextStep: 'Give --yes, and --region and --size unless the defaults (sin, shared-1x-512) suit you.' });
  }
  const wish = asking ? await askDeployment(given, io) : { region: given.region ?? DEFAULT_REGION, size: given.size ?? DEFAULT_SIZE };
  const machine = await wishFor(control, wish, given);
  if (machine.phase === 'screening' && machine.observedGeneration >= machine.generation) return tell(machine, options, io);
  await untilScreening(control, machine, options, io);
  return tell(await control.machine(machine.id), options, io);
}

/** Deploys; a machine that is there already is changed to what was asked for by name. */
async function wishFor(control: ControlPlane, wish: { region: string; size: MachineSize }, given: { region?: string; size?: MachineSize }): Promise<MachineView> {
  const machine = await control.deploy({ environment: LOCAL_ENVIRONMENT, ...wish });
  const { desired } = machine;
  const patch = {
    ...(desired.state === 'stopped' ? { desired: 'started' as const } : {}),
    ...(given.region && given.region !== desired.region ? { region: given.region } : {}),
    ...(given.size && JSON.stringify(given.size) !== JSON.stringify(desired.size) ? { size: given.size } : {}),
  };
  return Object.keys(patch).length > 0 ? control.change(machine.id, patch) : machine;
}

async function untilScreening(control: ControlPlane, machine: MachineView, options: Options, io: Io): Promise<void> {
  const story = createStory(createTerminal(options.json ? io.streams.stderr : io.streams.stdout, options.json ? io.color.stderr : io.color.stdout), io.now(), io.now);
  const end = new AbortController();
  story.doing('machine', `is ${machine.phase}`);
  try {
    await followMachine({
      control, machine, known: [], signal: end.signal, now: io.now,
      onTelling: (telling) => {
        if (telling.type !== 'signal' && telling.type !== 'decision' && telling.type !== 'status' && telling.type !== 'history') story.tell(telling);
        if (telling.type === 'screening') end.abort();
      },
    });
  } finally {
    story.end();
  }
}

function tell(machine: MachineView, options: Options, io: Io): number {
  io.stdout(options.json ? `${JSON.stringify(machine)}\n` : `Your machine screens: ${machine.app ?? machine.id}.\n  → npx trademind monitor\n`);
  return EXIT.ok;
}
