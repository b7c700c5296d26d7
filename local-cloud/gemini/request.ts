import { invalidArgument } from './errors.ts';

/** What the stand-in needs of a generateContent request. */
export interface GenerateRequest {
  /** All text of the conversation and the system instruction. */
  prompt: string;
  json: boolean;
  schema: unknown;
  maxOutputTokens: number;
}

const FIELDS = new Set(['contents', 'systemInstruction', 'generationConfig', 'safetySettings', 'tools', 'toolConfig', 'cachedContent', 'model']);
const THRESHOLDS = new Set(['HARM_BLOCK_THRESHOLD_UNSPECIFIED', 'BLOCK_LOW_AND_ABOVE', 'BLOCK_MEDIUM_AND_ABOVE', 'BLOCK_ONLY_HIGH', 'BLOCK_NONE', 'OFF']);
const JSON_TYPE = 'application/json';
const DEFAULT_OUTPUT = 65_536;

type Fields = Record<string, unknown>;

/** Checks a body as the API does. Throws INVALID_ARGUMENT with the field that is wrong. */
export function readRequest(body: unknown): GenerateRequest {
  if (!isObject(body)) throw invalidArgument('Invalid JSON payload received. Expected an object.');
  const fields = camelCased(body);
  for (const name of Object.keys(fields)) {
    if (!FIELDS.has(name)) throw invalidArgument(`Invalid JSON payload received. Unknown name "${name.slice(0, 60)}": Cannot find field.`, name.slice(0, 60));
  }
  const { contents } = fields;
  if (!Array.isArray(contents) || contents.length === 0) throw invalidArgument('* GenerateContentRequest.contents: contents is not specified\n', 'contents');
  checkSafety(fields['safetySettings']);
  const config = isObject(fields['generationConfig']) ? camelCased(fields['generationConfig']) : {};
  const mime = config['responseMimeType'] ?? 'text/plain';
  const schema = config['responseSchema'] ?? config['responseJsonSchema'] ?? config['_responseJsonSchema'];
  if (mime !== JSON_TYPE && mime !== 'text/plain') throw invalidArgument(`* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are \`text/plain\` and \`${JSON_TYPE}\`\n`, 'generation_config.response_mime_type');
  if (schema !== undefined && !isObject(schema)) throw invalidArgument('Invalid value at generation_config.response_schema: expected an object.', 'generation_config.response_schema');
  if (schema !== undefined && mime !== JSON_TYPE) throw invalidArgument(`* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is \`${JSON_TYPE}\`\n`, 'generation_config.response_schema');
  return {
    prompt: [systemText(fields['systemInstruction']), ...contents.map(contentText)].filter((text) => text !== '').join('\n'),
    json: mime === JSON_TYPE, schema, maxOutputTokens: outputLimit(config['maxOutputTokens']),
  };
}

function contentText(content: unknown, index: number): string {
  const where = `contents[${index}]`;
  if (!isObject(content)) throw invalidArgument(`Invalid value at ${where}: expected an object.`, where);
  if (content['role'] !== undefined && content['role'] !== 'user' && content['role'] !== 'model') throw invalidArgument('Please use a valid role: user, model.', `${where}.role`);
  const parts = content['parts'];
  if (!Array.isArray(parts) || parts.length === 0) throw invalidArgument(`* GenerateContentRequest.${where}.parts: contents.parts must not be empty.\n`, `${where}.parts`);
  const text = parts.map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('\n');
  if (text.trim() === '') throw invalidArgument(`* GenerateContentRequest.${where}.parts: text parts must not be empty.\n`, `${where}.parts`);
  return text;
}

/** A system instruction is a content, or, as the SDK allows, a plain text. */
function systemText(instruction: unknown): string {
  if (instruction === undefined) return '';
  if (typeof instruction === 'string') return instruction;
  return contentText({ ...(instruction as Fields), role: 'user' }, 0);
}

function checkSafety(settings: unknown): void {
  if (settings === undefined) return;
  if (!Array.isArray(settings)) throw invalidArgument('Invalid value at safety_settings: expected a list.', 'safety_settings');
  for (const [i, setting] of settings.entries()) {
    const { category, threshold } = isObject(setting) ? setting : {};
    if (typeof category !== 'string' || !category.startsWith('HARM_CATEGORY_')) throw invalidArgument(`Invalid value at 'safety_settings[${i}].category'`, `safety_settings[${i}].category`);
    if (typeof threshold !== 'string' || !THRESHOLDS.has(threshold)) throw invalidArgument(`Invalid value at 'safety_settings[${i}].threshold'`, `safety_settings[${i}].threshold`);
  }
}

function outputLimit(value: unknown): number {
  if (value === undefined) return DEFAULT_OUTPUT;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > DEFAULT_OUTPUT) {
    throw invalidArgument(`* GenerateContentRequest.generation_config.max_output_tokens: must be from 1 to ${DEFAULT_OUTPUT}\n`, 'generation_config.max_output_tokens');
  }
  return value;
}

/** The API takes fields in lowerCamelCase and in snake_case. */
function camelCased(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.replace(/(?<=[a-z])_([a-z])/g, (_, letter: string) => letter.toUpperCase()), value]));
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
