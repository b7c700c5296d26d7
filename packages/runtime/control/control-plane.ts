import { parseWith, Problem, TradeMindError } from '@trademind/core';
import type * as z from 'zod/mini';
import { httpFetch, type HttpAnswer, type HttpFetch } from '../http-fetch.ts';

const TIMEOUT_MS = 10_000;
/** Answers are small; what is longer is none. */
const MOST_BYTES = 256 * 1_024;

export interface ControlPlaneOptions {
  url: string;
  /** The one secret that the machine was born with. It goes into no error. */
  secret: string;
  signal: AbortSignal;
  fetch?: HttpFetch | undefined;
}

/** The control plane's endpoints for machines, called with the machine's secret. */
export class ControlPlane {
  readonly #options: ControlPlaneOptions;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url.replace(/\/$/, '');
  }

  /** Throws `control_plane_unreachable`, `control_plane_failing`, `control_plane_answer_malformed`, or the control plane's own refusal. */
  async call<T extends z.ZodMiniType>(method: 'GET' | 'POST', path: string, shape: T, what: string, body?: unknown): Promise<z.output<T>> {
    const { secret, signal } = this.#options;
    let answer: HttpAnswer;
    let text: string;
    try {
      answer = await (this.#options.fetch ?? httpFetch)(`${this.url}${path}`, {
        method, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        headers: { authorization: `Bearer ${secret}`, accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      text = await answer.text();
    } catch (cause) {
      throw new TradeMindError({ code: 'control_plane_unreachable', message: 'The control plane does not answer.', nextStep: 'The machine goes on and asks again.', cause });
    }
    if (!answer.ok) throw refusal(answer.status, text, secret);
    if (text.length > MOST_BYTES) throw new TradeMindError({ code: 'control_plane_answer_malformed', message: "The control plane's answer is too long." });
    return parseWith(shape, json(text), 'control_plane_answer_malformed', what);
  }
}

/** Its words are repeated without what was asked: a careless server tells the secret back. */
function refusal(status: number, text: string, secret: string): TradeMindError {
  const problem = Problem.safeParse(json(text));
  if (!problem.success) return new TradeMindError({ code: status >= 500 ? 'control_plane_failing' : 'control_plane_refused', message: `The control plane answered HTTP ${status}.` });
  const without = (words: string) => words.replaceAll(secret, '…');
  return new TradeMindError({ code: without(problem.data.code), message: without(problem.data.detail), ...(problem.data.nextStep !== undefined && { nextStep: without(problem.data.nextStep) }) });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
