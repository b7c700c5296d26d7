import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { firstIssue, Problem, PROBLEM_MEDIA_TYPE } from '@trademind/core';
import type { SwaggerTransform } from '@fastify/swagger';
import type { FastifyBaseLogger, FastifyInstance, FastifySchemaCompiler, FastifyTypeProvider } from 'fastify';
import type { FastifySerializerCompiler } from 'fastify/types/schema.js';
import * as z from 'zod/v4/core';
import { ApiProblem } from './problems.ts';

/** Handlers get what the schema makes of a request, and must answer what the schema takes. */
export interface ZodProvider extends FastifyTypeProvider {
  validator: this['schema'] extends z.$ZodType ? z.output<this['schema']> : unknown;
  serializer: this['schema'] extends z.$ZodType ? z.input<this['schema']> : unknown;
}

const PART: Readonly<Record<string, string>> = { body: 'The body', querystring: 'The query', params: 'The path', headers: 'The headers' };

/** Checks a part of a request with its zod schema; the first wrong field is named, its value never repeated. */
export const zodValidator: FastifySchemaCompiler<z.$ZodType> = ({ schema, httpPart }) => (data: unknown) => {
  // a body that is not there is an empty one: every body of ours is an object
  const parsed = z.safeParse(schema, httpPart === 'body' ? (data ?? {}) : data);
  if (parsed.success) return { value: parsed.data };
  const issue = firstIssue(parsed.error);
  const field = issue.path.map(String).join('.');
  const detail = issue.unknownKey ? `has the ${issue.detail}` : `is not valid${field ? ` at ${field}` : ''}: ${issue.detail}`;
  return { error: new ApiProblem(400, {
    code: 'request_invalid', message: `${PART[httpPart ?? ''] ?? 'The request'} ${detail}`, field: field || undefined, nextStep: 'See /docs for what is taken here.',
  }) };
};

/** An answer leaves only with the fields its schema names: a column that is added to a table never leaks by itself. */
export const zodSerializer: FastifySerializerCompiler<z.$ZodType> = ({ schema }) => (data: unknown) => JSON.stringify(z.parse(schema, data));

const jsonSchema = (schema: z.$ZodType, io: 'input' | 'output') => {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};

const isZod = (value: unknown): value is z.$ZodType => typeof value === 'object' && value !== null && '_zod' in value;

/** What an answer may carry in its head. */
const SENT = {
  etag: { type: 'string', description: 'The generation (of a machine) or version (of a trader), for `If-Match`' },
  location: { type: 'string', description: 'Where it is' },
} as const;

declare module 'fastify' {
  interface FastifySchema {
    /** Headers of a success. */
    sends?: readonly (keyof typeof SENT)[];
    /** A success is a stream of server-sent events for whoever accepts one. */
    alsoStreams?: boolean;
    /** A repeat with the same `Idempotency-Key` gets the same answer: set for the routes of users that write. */
    repeatable?: boolean;
  }
}

const IDEMPOTENCY_KEY = { type: 'string', maxLength: 255, description: 'A repeat within a day gets the first answer; with another request it is refused (422).' };

/** `POST /v1/machines/:id/restart` → `postMachinesByIdRestart`: what generated clients call it. */
const operationIdOf = (method: string, url: string): string => method.toLowerCase() + url.replace(/^\/v1/, '').split('/').filter((part) => part !== '')
  .map((part) => (part.startsWith(':') ? `By-${part.slice(1)}` : part)).join('-').replace(/[^A-Za-z0-9]+/g, '-').replace(/(?:^|-)([a-z0-9])/gi, (_all, letter: string) => letter.toUpperCase());

/** The zod schemas of a route as JSON Schema 2020-12, which is OpenAPI 3.1's own; every route may answer a problem. */
export const openApiTransform: SwaggerTransform = ({ schema, url, route }) => {
  // plugins' own routes carry none
  if (schema === undefined || schema.hide) return { schema: schema ?? { hide: true }, url };
  const { sends = [], alsoStreams = false, repeatable = false, ...rest } = schema;
  const out: Record<string, unknown> = { operationId: operationIdOf(String(route.method), url), ...rest };
  for (const part of ['body', 'querystring', 'params', 'headers'] as const) if (isZod(schema[part])) out[part] = jsonSchema(schema[part], 'input');
  const answers = Object.entries((schema.response ?? {}) as Record<string, unknown>)
    .map(([status, answer]) => [status, isZod(answer) ? {
      description: status === '202' ? 'Accepted: it happens from now on' : 'Answer', ...jsonSchema(answer, 'output'),
      ...(sends.length === 0 ? {} : { headers: Object.fromEntries(sends.map((name) => [name, SENT[name]])) }),
      ...(alsoStreams ? { content: { 'application/json': { schema: jsonSchema(answer, 'output') }, 'text/event-stream': { schema: { type: 'string' } } } } : {}),
    } : answer]);
  if (repeatable) out['headers'] = { type: 'object', ...(out['headers'] as object | undefined), properties: { ...(out['headers'] as { properties?: object } | undefined)?.properties, 'idempotency-key': IDEMPOTENCY_KEY } };
  out['response'] = {
    ...Object.fromEntries(answers),
    default: { description: 'A problem (RFC 9457)', content: { [PROBLEM_MEDIA_TYPE]: { schema: jsonSchema(Problem, 'output') } } },
  };
  return { schema: out, url };
};

export type Api = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodProvider>;
