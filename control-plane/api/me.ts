import { AnalysisCaps, BinanceKeys, Budget, GeminiKey, Me, NotificationSettings, NotificationsWrite, ScaleSettings, channelView, firstIssue } from '@trademind/core';
import { z } from 'zod';
import { settingOf, type UserSecrets } from '../database/secrets.ts';
import { callerOf, type ApiContext } from './context.ts';
import { userPlanView } from './plans.ts';
import { ApiProblem } from './problems.ts';
import type { Api } from './schema.ts';

const tags = ['me'];
const Nothing = z.null();
const iso = (time: string) => new Date(time).toISOString();

/** A user's own account: what they have, what they set, and keys that go in and never come out. */
export function meRoutes(api: Api, context: ApiContext): void {
  const { plans, secrets, account, userDatabase } = context;

  api.route({
    method: 'GET',
    url: '/v1/me',
    schema: { tags, summary: 'Who you are, what your plan has, what you have set', response: { 200: Me } },
    handler: async (request): Promise<Me> => {
      const { userId, email, role, operator, token } = callerOf(request);
      const [plan, stored, budget] = await Promise.all([plans.of(userId), secrets.stored(userId), userDatabase(token).budget()]);
      const { scaling, analysis } = stored.settings;
      return { id: userId, email, role, operator, plan: userPlanView(plan), budget, scaling: settingOf(ScaleSettings, scaling), analysis: settingOf(AnalysisCaps, analysis), ...shownOf(stored) };
    },
  });

  const write = (url: string, summary: string, description: string, body: z.core.$ZodType, act: (userId: string, body: unknown) => Promise<void>): void => {
    api.route({
      method: 'PUT', url, schema: { tags, summary, description, body, response: { 204: Nothing } },
      handler: async (request, reply) => { await act(callerOf(request).userId, request.body); return reply.status(204).send(null); },
    });
  };
  const remove = (url: string, summary: string, act: (userId: string) => Promise<void>): void => {
    api.route({
      method: 'DELETE', url, schema: { tags, summary, response: { 204: Nothing } },
      handler: async (request, reply) => { await act(callerOf(request).userId); return reply.status(204).send(null); },
    });
  };

  const KEPT = 'Sealed at once, delivered to your machine alone, never shown again. Your machine follows within a beat.';
  write('/v1/me/keys/binance', 'Store your Binance keys', KEPT, BinanceKeys, (userId, body) => {
    const value = BinanceKeys.parse(body);
    return secrets.put(userId, 'binance', value, { hint: hintOf(value.apiKey) });
  });
  remove('/v1/me/keys/binance', 'Forget your Binance keys', (userId) => secrets.forget(userId, 'binance'));
  write('/v1/me/keys/gemini', 'Store your Gemini key', KEPT, GeminiKey, (userId, body) => {
    const value = GeminiKey.parse(body);
    return secrets.put(userId, 'gemini', value, { hint: hintOf(value.apiKey) });
  });
  remove('/v1/me/keys/gemini', 'Forget your Gemini key', (userId) => secrets.forget(userId, 'gemini'));

  write('/v1/me/notifications', 'Set your notifications', `Rules, and channels with their tokens; without \`channels\` those that are stored stay. ${KEPT}`, NotificationsWrite, async (userId, body) => {
    const { channels, rules } = NotificationsWrite.parse(body);
    const before = channels === undefined ? secrets.opened(userId, await secrets.stored(userId), 'notifications') : null;
    const whole = NotificationSettings.safeParse({ channels: channels ?? before?.channels ?? [], rules });
    if (!whole.success) {
      const { path, detail } = firstIssue(whole.error);
      throw new ApiProblem(400, { code: 'request_invalid', message: `The notifications do not hold together: ${detail}.`, field: path.map(String).join('.') || undefined, nextStep: 'Name only channels that exist; each id once.' });
    }
    await secrets.put(userId, 'notifications', whole.data, { channels: whole.data.channels.map(channelView), rules: whole.data.rules });
  });
  remove('/v1/me/notifications', 'Forget your notifications', (userId) => secrets.forget(userId, 'notifications'));

  write('/v1/me/budget', 'Set what you want to pay at most in a month', 'You are warned at 50, 80 and 100 %. With `downsize` or `stop` no wish may cost more than the budget in 30 days, and once the month\'s is used up machines are made small or stopped.', Budget,
    (userId, body) => account.setBudget(userId, Budget.parse(body)));
  remove('/v1/me/budget', 'Have no budget', (userId) => account.setBudget(userId, null));
  write('/v1/me/scaling', 'Let your machine change its size, within bounds', 'Nothing changes by itself unless `automatic` is true.', ScaleSettings, async (userId, body) => { await context.secretsDatabase.setSetting(userId, 'scaling', ScaleSettings.parse(body)); });
  write('/v1/me/analysis', 'Set what analyses may use up in a day', 'Tokens and US dollars of a day (UTC), whatever key they are made with; with the platform\'s the plan\'s limits hold too. Without it: 1,000,000 tokens and $1. Your machine follows within a beat.', AnalysisCaps,
    async (userId, body) => { await context.secretsDatabase.setSetting(userId, 'analysis', AnalysisCaps.parse(body)); });
  remove('/v1/me/analysis', 'Have the default caps on analyses', async (userId) => { await context.secretsDatabase.setSetting(userId, 'analysis', null); });
  remove('/v1/me/scaling', 'Change the size yourself', async (userId) => { await context.secretsDatabase.setSetting(userId, 'scaling', null); });
}

const hintOf = (key: string): string => `…${key.slice(-4)}`;

/** What may be shown of what is stored. */
function shownOf({ secrets }: UserSecrets): Pick<Me, 'keys' | 'notifications'> {
  const key = (field: string) => {
    const stored = secrets[field];
    const hint = stored?.hint['hint'];
    return stored === undefined ? null : { hint: typeof hint === 'string' ? hint : '', updatedAt: iso(stored.updated_at) };
  };
  const shown = Me.shape.notifications.safeParse(secrets['notifications']?.hint ?? null);
  return { keys: { binance: key('binance'), gemini: key('gemini') }, notifications: shown.success ? shown.data : null };
}
