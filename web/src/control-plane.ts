import { MachinePage, MachineView, Problem, TicketAnswer, TradeMindError, parseWith } from '@trademind/core';

/** What the dashboard asks of the control plane. Methods reject with a TradeMindError. */
export interface ControlPlane {
  /** The user's machine, or null when there is none. */
  machine(): Promise<MachineView | null>;
  ticket(machineId: string): Promise<TicketAnswer>;
  start(machineId: string): Promise<MachineView>;
}

/** Speaks to the control plane's HTTP API as the signed-in user. */
export function createControlPlane(baseUrl: string, accessToken: () => Promise<string | null>, call: typeof fetch = fetch): ControlPlane {
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const token = await accessToken();
    if (token === null) throw new TradeMindError({ code: 'signed_out', message: 'You are signed out.' });
    let answer: Response;
    try {
      answer = await call(`${baseUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(15_000),
      });
    } catch (cause) {
      throw new TradeMindError({ code: 'control_plane_unreachable', message: 'The control plane does not answer.', nextStep: 'This page keeps trying. A machine that runs goes on without it.', cause });
    }
    const value: unknown = await answer.json().catch(() => undefined);
    if (answer.ok) return value;
    if (answer.status === 401) throw new TradeMindError({ code: 'signed_out', message: 'Your session has ended.' });
    const problem = Problem.safeParse(value);
    if (!problem.success) throw new TradeMindError({ code: 'control_plane_failed', message: `The control plane answered ${answer.status}.`, nextStep: 'This page keeps trying.' });
    const { code, detail, field, nextStep } = problem.data;
    throw new TradeMindError({ code, message: detail, field, nextStep });
  };
  return {
    async machine() {
      const { items } = parseWith(MachinePage, await ask('GET', '/v1/machines'), 'control_plane_answer_invalid', 'machines');
      return items.find(({ phase }) => phase !== 'destroyed') ?? null;
    },
    ticket: async (id) => parseWith(TicketAnswer, await ask('POST', `/v1/machines/${id}/ticket`, {}), 'control_plane_answer_invalid', 'ticket'),
    start: async (id) => parseWith(MachineView, await ask('PATCH', `/v1/machines/${id}`, { desired: 'started' }), 'control_plane_answer_invalid', 'machine'),
  };
}
