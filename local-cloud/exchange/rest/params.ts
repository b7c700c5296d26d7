/** A refusal in Binance's words: HTTP status, `code` and `msg`. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const SYMBOL = '^[A-Z0-9-_.]{1,20}$';
const SYMBOLS = '^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$';
const NUMBER = '^[0-9]{1,20}$';

/** The query of one request, read as strictly as Binance reads it: every parameter must be known, filled and legal. */
export class Params {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams, known: readonly string[]) {
    this.#query = query;
    const names = [...query.keys()];
    if (new Set(names).size < names.length) throw new ApiError(400, -1101, 'Duplicate values for a parameter detected.');
    const read = names.filter((name) => known.includes(name)).length;
    if (read < names.length) throw new ApiError(400, -1104, `Not all sent parameters were read; read '${read}' parameter(s) but was sent '${names.length}'.`);
    for (const [name, value] of query) if (value === '') throw new ApiError(400, -1105, `Parameter '${name}' was empty.`);
  }

  text(name: string): string | undefined {
    return this.#query.get(name) ?? undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new ApiError(400, -1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
    return value;
  }

  legal(name: string, range: string): string | undefined {
    const value = this.text(name);
    if (value !== undefined && !new RegExp(range).test(value)) {
      throw new ApiError(400, -1100, `Illegal characters found in parameter '${name}'; legal range is '${range}'.`);
    }
    return value;
  }

  number(name: string): number | undefined {
    const value = this.legal(name, NUMBER);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (!Number.isSafeInteger(number)) throw new ApiError(400, -1108, `Parameter '${name}' overflowed.`);
    return number;
  }

  choice(name: string, choices: readonly string[]): string | undefined {
    const value = this.text(name);
    if (value !== undefined && !choices.includes(value)) throw new ApiError(400, -1130, `Data sent for parameter '${name}' is not valid.`);
    return value;
  }

  symbol(): string | undefined {
    return this.legal('symbol', SYMBOL);
  }

  /** What `symbol` or `symbols` name; undefined when neither was sent. */
  symbols(): { names: string[]; several: boolean } | undefined {
    const one = this.symbol();
    const list = this.legal('symbols', SYMBOLS);
    if (one !== undefined && list !== undefined) throw new ApiError(400, -1128, 'Combination of optional parameters invalid.');
    if (one !== undefined) return { names: [one], several: false };
    if (list === undefined) return undefined;
    const names = JSON.parse(list) as string[];
    if (names.length === 0) throw new ApiError(400, -1105, "Parameter 'symbols' was empty.");
    if (new Set(names).size < names.length) throw new ApiError(400, -1151, 'Symbol is present multiple times in the list.');
    return { names, several: true };
  }
}
