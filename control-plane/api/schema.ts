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

/** The zod schemas of a route as JSON Schema 2020-12, which is OpenAPI 3.1's own; every route may answer a problem. */
export const openApiTransform: SwaggerTransform = ({ schema, url }) => {
  // plugins' own routes carry none
  if (schema === undefined || schema.hide) return { schema: schema ?? { hide: true }, url };
  const out: Record<string, unknown> = { ...schema };
  for (const part of ['body', 'querystring', 'params', 'headers'] as const) if (isZod(schema[part])) out[part] = jsonSchema(schema[part], 'input');
  const answers = Object.entries((schema.response ?? {}) as Record<string, unknown>)
    .map(([status, answer]) => [status, isZod(answer) ? { description: status === '202' ? 'Accepted: it happens from now on' : 'Answer', ...jsonSchema(answer, 'output') } : answer]);
  out['response'] = {
    ...Object.fromEntries(answers),
    default: { description: 'A problem (RFC 9457)', content: { [PROBLEM_MEDIA_TYPE]: { schema: jsonSchema(Problem, 'output') } } },
  };
  return { schema: out, url };
};

export type Api = FastifyInstance<Server, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodProvider>;
