/** The models that the stand-in answers for. Ids come and go upstream, so a client takes its model from configuration. */
const MODELS = [
  ['gemini-3.8-flash', 'Gemini 3.8 Flash'],
  ['gemini-3.5-flash-lite', 'Gemini 3.5 Flash-Lite'],
  ['gemini-2.5-flash', 'Gemini 2.5 Flash'],
  ['gemini-2.5-flash-lite', 'Gemini 2.5 Flash-Lite'],
  ['gemini-2.5-pro', 'Gemini 2.5 Pro'],
] as const;

export interface Model {
  name: string; baseModelId: string; version: string; displayName: string; description: string;
  inputTokenLimit: number; outputTokenLimit: number; supportedGenerationMethods: string[]; temperature: number; topP: number; topK: number;
}

export const models: readonly Model[] = MODELS.map(([id, displayName]) => ({
  name: `models/${id}`, baseModelId: id, version: '001', displayName,
  description: `Stands in for ${displayName}: answers from the numbers of the prompt.`,
  inputTokenLimit: 1_048_576, outputTokenLimit: 65_536, supportedGenerationMethods: ['generateContent'], temperature: 1, topP: 0.95, topK: 64,
}));

/** Finds a model by its id, with or without the suffix -latest or a version. */
export function findModel(id: string): Model | undefined {
  const base = id.replace(/-(latest|001)$/, '');
  return models.find((model) => model.baseModelId === base);
}
