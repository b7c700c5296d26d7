import type { TraderInput } from '@trademind/core';
import { bearishRsiDivergence } from './bearish-rsi-divergence.ts';
import { bollingerRejection } from './bollinger-rejection.ts';
import { donchianBreakout } from './donchian-breakout.ts';
import { emaCrossWithVolume } from './ema-cross-with-volume.ts';
import { engulfingAtSupport } from './engulfing-at-support.ts';
import { relativeStrengthLeader } from './relative-strength-leader.ts';
import { rsiOversoldTurn } from './rsi-oversold-turn.ts';
import { squeezeRelease } from './squeeze-release.ts';
import { supertrendDownturn } from './supertrend-downturn.ts';
import { vwapReclaim } from './vwap-reclaim.ts';

/** Those that a first start stores: they screen one-minute candles and settle within two hours, so that something is seen soon. */
export const STARTER_TRADERS: readonly TraderInput[] = [emaCrossWithVolume, rsiOversoldTurn, bollingerRejection];

/** Every trader that is offered; each is a file here that says what it looks for, why, when it fails, and on which intervals it makes sense. */
export const TEMPLATE_TRADERS: readonly TraderInput[] = [
  ...STARTER_TRADERS, donchianBreakout, squeezeRelease, supertrendDownturn, bearishRsiDivergence, engulfingAtSupport, vwapReclaim, relativeStrengthLeader,
];
