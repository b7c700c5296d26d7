import { ScaleAnswer, ScaleTerms, type ScaleRequest } from '@trademind/core';
import type { ControlPlane } from '../control/control-plane.ts';

const PATH = '/v1/machine/scale';

/** Whom a machine asks for another size. Both reject with a TradeMindError. */
export interface ScalePort {
  /** The machine's size, and what its user allows. */
  terms(): Promise<ScaleTerms>;
  ask(request: ScaleRequest): Promise<ScaleAnswer>;
}

/** The control plane's `/v1/machine/scale`. */
export class ControlPlaneScaling implements ScalePort {
  readonly #controlPlane: Pick<ControlPlane, 'call'>;

  constructor(controlPlane: Pick<ControlPlane, 'call'>) {
    this.#controlPlane = controlPlane;
  }

  terms(): Promise<ScaleTerms> {
    return this.#controlPlane.call('GET', PATH, ScaleTerms, "The control plane's answer about the size");
  }

  ask(request: ScaleRequest): Promise<ScaleAnswer> {
    return this.#controlPlane.call('POST', PATH, ScaleAnswer, "The control plane's answer about the size", request);
  }
}
