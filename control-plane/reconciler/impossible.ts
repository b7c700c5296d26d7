/** The end of a switch over all cases: the compiler refuses a case that was forgotten. */
export function impossible(value: never): never {
  throw new Error(`not a case: ${JSON.stringify(value)}`);
}
