import type { TraderInput } from '@trademind/core';
import { bollingerRejection } from './bollinger-rejection.ts';
import { emaCrossWithVolume } from './ema-cross-with-volume.ts';
import { rsiOversoldTurn } from './rsi-oversold-turn.ts';

/** Traders that a new user starts with. Each is a file here that says what it looks for and why. */
export const TEMPLATE_TRADERS: readonly TraderInput[] = [emaCrossWithVolume, rsiOversoldTurn, bollingerRejection];
