import type { Prompt } from './prompt.ts';
import { signalReview1 } from './signal-review-1.ts';

/** Every prompt that was ever released. The last one is in use. */
export const PROMPTS: readonly [...Prompt[], Prompt] = [signalReview1];
export const CURRENT_PROMPT: Prompt = PROMPTS.at(-1)!;
