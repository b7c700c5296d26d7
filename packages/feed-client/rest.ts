import { Problem, TradeMindError } from '@trademind/core';

/** The body of a machine's answer. Throws TradeMindError with the code of the problem that it tells instead. */
export async function readAnswer(answer: Response): Promise<unknown> {
  const body: unknown = await answer.json().catch(() => undefined);
  if (answer.ok && body !== undefined) return body;
  const problem = Problem.safeParse(body);
  if (!problem.success) throw new TradeMindError({ code: 'machine_answer_invalid', message: `The machine answered ${answer.status}.` });
  throw new TradeMindError({ code: problem.data.code, message: problem.data.detail, field: problem.data.field, nextStep: problem.data.nextStep });
}
