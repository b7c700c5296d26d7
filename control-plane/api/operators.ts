import type { Caller } from './auth.ts';
import { callerOf } from './context.ts';
import { ApiProblem } from './problems.ts';

/** The caller of a route for operators; everybody else is refused (403). */
export function operatorOf(request: { caller: Caller | null }): Caller {
  const caller = callerOf(request);
  if (!caller.operator) throw new ApiProblem(403, { code: 'operator_only', message: 'This is for operators.', nextStep: 'Ask an operator of this installation.' });
  return caller;
}
