import { DEFAULT_CAPS, DEFAULT_MODEL, type AnalyzerOptions, type Caps } from './analyzer-options.ts';

/** A key that is given to the program itself. `baseUrl`: another address that speaks Gemini's protocol. */
export interface OwnKey { apiKey?: string | undefined; baseUrl?: string | undefined; model?: string | undefined; caps?: Caps | undefined }

/** How the model is reached with it; without a key signals are not analysed, and each says so. */
export function withOwnKey({ apiKey, baseUrl, model = DEFAULT_MODEL, caps = DEFAULT_CAPS }: OwnKey = {}): Pick<AnalyzerOptions, 'access' | 'model' | 'caps'> {
  return { access: () => (apiKey ? { state: 'ready', apiKey, baseUrl } : { state: 'none' }), model: () => model, caps: () => caps };
}
