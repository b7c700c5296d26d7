import { setTimeout as sleep } from 'node:timers/promises';
import { TradeMindError, type MachineView } from '@trademind/core';
import { STARTER_TRADERS } from '@trademind/engine';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { duration } from '../output/format.ts';
import { controlPlane as connect, type ControlPlane } from '../services/control-plane.ts';
import { DEMO_EMAIL } from '../services/demo-user.ts';
import { gateway as open, magicLink } from '../services/gateway.ts';
import { deployMachine, signInDemoUser, storeTemplates } from './demo-account.ts';
import { eventOf, readyEvent, type DevEvent } from './events.ts';
import { followMachine } from './follow.ts';
import type { Urls } from './lock.ts';
import type { Telling } from './machine-timeline.ts';
import { marketName } from './market.ts';
import type { DevOptions } from './options.ts';
import type { Prepared } from './prepare.ts';
import type { Voice } from './run.ts';
import { writeSettings } from './settings.ts';

export interface Stage extends Prepared {
  urls: Urls;
  options: DevOptions;
  io: Io;
  voice: Voice;
  /** Aborted when everything is to stop. */
  signal: AbortSignal;
  onMachine(id: string): void;
}

/** After the last candle of a recorded market a signal may still be on its way. */
const LAST_SIGNAL_MS = 3_000;
const NEXT_LOOK_MS = 1_000;

/**
 * The demo user's way, over HTTP alone: signs in, stores the traders of a first start, wishes a machine, follows it. Resolves with the exit status
 * when `signal` is aborted or what `--until` names has happened. Rejects with `market_ended` when the market ends before.
 */
export async function playDemo(stage: Stage): Promise<number> {
  const { plan, settings, choice, urls, options, io, voice: { story, emit } } = stage;
  const gateway = open({ url: urls.supabase, publishableKey: plan.secrets.publishableKey });
  const session = await signInDemoUser(gateway, plan.secrets, io.now);
  const { userId, token } = await session.current();
  story.step('signed in', DEMO_EMAIL);

  const control = connect({ url: urls.controlPlane, token: session.token });
  const firstTime = settings.templatesStored !== true;
  const traders = await storeTemplates(control, STARTER_TRADERS, firstTime);
  if (firstTime) writeSettings(plan.folder.settings, { ...settings, templatesStored: true });
  story.step('traders', traders.join(', ') || 'none: add one: `npx trademind traders templates`');

  const known = (await gateway.signals(token, 1_000)).map(({ id }) => id);
  let machine: Pick<MachineView, 'id'> = await wishMachine(control, stage);
  const end = new AbortController();
  const signal = AbortSignal.any([stage.signal, end.signal]);
  let destroyed = new AbortController();
  // The ready line comes first: what happens before it is told after it.
  let early: DevEvent[] | null = [];
  let outcome: number | TradeMindError = stage.options.untilFirstSignal ? EXIT.interrupted : EXIT.ok;
  const onTelling = async (telling: Telling, live: number): Promise<void> => {
    story.tell(telling);
    if (telling.type === 'status' && telling.status.phase === 'screening') story.live(telling.status, live);
    if (telling.type === 'screening' && !telling.again) await sayReady();
    if (telling.type === 'history' && !options.untilFirstSignal) await sayWhere();
    const event = eventOf(telling, live);
    if (event && early) early.push(event);
    else if (event) emit(event);
    if (telling.type === 'phase' && telling.phase === 'failed') await sayWhy();
    if (telling.type === 'phase' && telling.phase === 'destroyed') destroyed.abort();
    if (!options.untilFirstSignal) return;
    if (telling.type === 'signal') {
      outcome = EXIT.ok;
      end.abort();
    }
    if (telling.type === 'halted' && telling.all) {
      outcome = new TradeMindError({
        code: 'market_ended', message: 'The recorded market ended before a live signal.',
        nextStep: 'Begin it anew with --reset, or take a longer recording.',
      });
      setTimeout(() => end.abort(), LAST_SIGNAL_MS);
    }
  };
  const sayReady = async (): Promise<void> => {
    if (early === null) return;
    const view = await control.machine(machine.id);
    emit(readyEvent(urls, { id: userId, email: DEMO_EMAIL, token: await session.token() }, view, {
      market: marketName(choice.market), speed: choice.speed, dataDir: plan.folder.path, publishableKey: plan.secrets.publishableKey,
    }));
    for (const event of early) emit(event);
    early = null;
  };
  let saidWhere = false;
  const sayWhere = async (): Promise<void> => {
    if (saidWhere) return;
    saidWhere = true;
    const page = magicLink(urls.dashboard, await gateway.magicToken(plan.secrets.secretKey, DEMO_EMAIL));
    story.whereToLook({ page, docs: `${urls.controlPlane}/docs`, dataOption: options.dataArgument });
  };
  const sayWhy = async (): Promise<void> => {
    const { lastError } = await control.machine(machine.id);
    if (lastError) story.warn(`${lastError.message}${lastError.nextStep ? ` ${lastError.nextStep}` : ''}`);
  };

  const began = io.now();
  while (!signal.aborted) {
    destroyed = new AbortController();
    await followMachine({ control, machine, known, signal: AbortSignal.any([signal, destroyed.signal]), now: io.now, onTelling });
    if (!destroyed.signal.aborted) break;
    story.quiet();
    story.note(`There is no machine now; another one: npx trademind deploy${options.dataArgument}`);
    const next = await nextMachine(control, signal);
    if (!next) break;
    machine = next;
    stage.onMachine(machine.id);
  }
  if (typeof outcome !== 'number') throw outcome;
  if (options.untilFirstSignal && outcome === EXIT.ok) story.note(`The first live signal came ${duration(io.now() - began)} after the machine was asked for; stopping.`);
  return outcome;
}

async function wishMachine(control: ControlPlane, { voice: { story }, signal, onMachine }: Stage): Promise<MachineView> {
  const machine = await deployMachine(control, signal);
  onMachine(machine.id);
  if (machine.phase === 'requested') story.step('requested', `a machine in ${machine.desired.region}`);
  story.doing('machine', `is ${machine.phase}`);
  return machine;
}

/** The machine that the user deploys after the last one was destroyed; null when `signal` is aborted before. */
async function nextMachine(control: Pick<ControlPlane, 'machines'>, signal: AbortSignal): Promise<MachineView | null> {
  while (!signal.aborted) {
    // The control plane may be restarting: it is asked again.
    const machine = (await control.machines().catch(() => [])).find(({ phase }) => phase !== 'destroyed' && phase !== 'destroying');
    if (machine) return machine;
    await sleep(NEXT_LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return null;
}
