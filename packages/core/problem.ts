import * as z from 'zod/mini';

/** RFC 9457 problem details, with a stable `code` and what the caller can do next. */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  field: z.optional(z.string()),
  nextStep: z.optional(z.string()),
  requestId: z.optional(z.string()),
});
export type Problem = z.infer<typeof Problem>;

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';
