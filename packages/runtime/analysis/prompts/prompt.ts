import type { AnalysisInput } from '../analysis-input.ts';

/** A prompt as a versioned file: one that has been released is never edited, the next version is another file. */
export interface Prompt {
  /** `name/number`, recorded with every call and decision. */
  version: string;
  system: string;
  render(input: AnalysisInput): string;
}
