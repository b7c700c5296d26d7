import { TradeMindError, type MachineView, type TraderInput } from '@trademind/core';
import { TEMPLATE_TRADERS } from '@trademind/engine';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { duration } from '../output/format.ts';
import { controlPlane as connect, type ControlPlane } from '../services/control-plane.ts';
import { DEMO_EMAIL, LOCAL_ENVIRONMENT } from '../services/demo-user.ts';
import { gateway as open, magicLink, type Gateway } from '../services/gateway.ts';
import { HttpError } from '../services/http.ts';
import { keepSignedIn, type Session } from '../services/session.ts';
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

/**
 * The demo user's way, over HTTP alone: signs in, stores the template traders, wishes a machine, follows it. Resolves with the exit status
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
  const traders = await storeTemplates(control, TEMPLATE_TRADERS, firstTime);
  if (firstTime) writeSettings(plan.folder.settings, { ...settings, templatesStored: true });
  story.step('traders', traders.join(', ') || 'none: add one with `npx trademind traders add FILE`');

  const known = (await gateway.signals(token, 1_000)).map(({ id }) => id);
  const machine = await deployMachine(control, stage.signal);
  stage.onMachine(machine.id);
  if (machine.phase === 'requested') story.step('requested', `a machine in ${machine.desired.region}`);
  story.doing('machine', `is ${machine.phase}`);

  const end = new AbortController();
  const signal = AbortSignal.any([stage.signal, end.signal]);
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
    const view = await control.machine(machine.id);
    emit(readyEvent(urls, { id: userId, email: DEMO_EMAIL, token: await session.token() }, view, {
      market: marketName(choice.market), speed: choice.speed, dataDir: plan.folder.path, publishableKey: plan.secrets.publishableKey,
    }));
    for (const event of early ?? []) emit(event);
    early = null;
  };
  const sayWhere = async (): Promise<void> => {
    const page = magicLink(urls.dashboard, await gateway.magicToken(plan.secrets.secretKey, DEMO_EMAIL));
    story.whereToLook({ page, docs: `${urls.controlPlane}/docs`, dataOption: options.dataArgument });
  };
  const began = io.now();
  await followMachine({ control, machine, known, signal, now: io.now, onTelling });
  if (typeof outcome !== 'number') throw outcome;
  if (options.untilFirstSignal && outcome === EXIT.ok) story.note(`The first live signal came ${duration(io.now() - began)} after the machine was asked for; stopping.`);
  return outcome;
}

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
