import { parseWith, Problem, ScaleAnswer, ScaleTerms, TradeMindError, type ScaleRequest } from '@trademind/core';
import type * as z from 'zod/mini';
import { httpFetch, type HttpAnswer, type HttpFetch } from '../http-fetch.ts';

const TIMEOUT_MS = 10_000;
/** Answers are small; what is longer is none. */
const MOST_BYTES = 64 * 1_024;

/** Whom a machine asks for another size. Both reject with a TradeMindError. */
export interface ScalePort {
  /** The machine's size, and what its user allows. */
  terms(): Promise<ScaleTerms>;
  ask(request: ScaleRequest): Promise<ScaleAnswer>;
}

/** The control plane's `/v1/machine/scale`, with the machine's secret. The secret goes into no error. */
export class ControlPlaneScaling implements ScalePort {
  readonly #options: { controlPlaneUrl: string; secret: string; signal: AbortSignal; fetch?: HttpFetch };

  constructor(options: { controlPlaneUrl: string; secret: string; signal: AbortSignal; fetch?: HttpFetch }) {
    this.#options = options;
  }

  terms(): Promise<ScaleTerms> {
    return this.#call('GET', ScaleTerms);
  }

  ask(request: ScaleRequest): Promise<ScaleAnswer> {
    return this.#call('POST', ScaleAnswer, request);
  }

  async #call<T extends z.ZodMiniType>(method: 'GET' | 'POST', shape: T, body?: unknown): Promise<z.output<T>> {
    const { controlPlaneUrl, secret, signal } = this.#options;
    let response: HttpAnswer;
    let text: string;
    try {
      response = await (this.#options.fetch ?? httpFetch)(`${controlPlaneUrl.replace(/\/$/, '')}/v1/machine/scale`, {
        method, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        headers: { authorization: `Bearer ${secret}`, accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (cause) {
      throw new TradeMindError({ code: 'control_plane_unreachable', message: 'The control plane does not answer.', nextStep: 'The machine goes on at its size and asks again.', cause });
    }
    if (!response.ok) throw refusal(response.status, text);
    if (text.length > MOST_BYTES) throw new TradeMindError({ code: 'control_plane_answer_malformed', message: "The control plane's answer is too long." });
    return parseWith(shape, json(text), 'control_plane_answer_malformed', "The control plane's answer about the size");
  }
}

function refusal(status: number, text: string): TradeMindError {
  const problem = Problem.safeParse(json(text));
  if (!problem.success) return new TradeMindError({ code: status >= 500 ? 'control_plane_failing' : 'control_plane_refused', message: `The control plane answered HTTP ${status}.` });
  return new TradeMindError({ code: problem.data.code, message: problem.data.detail, nextStep: problem.data.nextStep });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
