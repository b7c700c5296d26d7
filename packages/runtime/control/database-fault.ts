import { codeOf } from '@trademind/core';

/**
 * What a failed request says of what was sent. `refused`: it is at fault itself, or a part of it; `failing`: maybe so; `away`: nothing is known,
 * it may even have been done.
 */
export function faultOf(error: unknown): 'refused' | 'failing' | 'away' {
  const code = codeOf(error);
  return code === 'database_refused' ? 'refused' : code === 'database_failing' ? 'failing' : 'away';
}
