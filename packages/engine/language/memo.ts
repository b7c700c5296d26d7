/** Keeps, for one trader's names, what was once worked out of a key: a `let` that stands in a thousand places is read once. */
export function memo<Names extends object, Key extends object | string, Value>(read: (key: Key, names: Names) => Value): (key: Key, names: Names) => Value {
  const known = new WeakMap<Names, { of: Map<Key, Value> }>();
  return (key, names) => {
    let kept = known.get(names);
    if (kept === undefined) known.set(names, kept = { of: new Map() });
    if (kept.of.has(key)) return kept.of.get(key)!;
    const value = read(key, names);
    kept.of.set(key, value);
    return value;
  };
}

/** Thrown when taking an expression apart, or saying it, would make more than anybody reads: `let` names that use one another twice double with each step. */
export class TooLarge extends Error {
  constructor() {
    super('the expression is too large to be taken apart');
    this.name = 'TooLarge';
  }
}
