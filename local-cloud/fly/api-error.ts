/** A refusal in Fly's own shape: `{error, status?}` with an HTTP status. */
export class ApiError extends Error {
  readonly status: number;
  /** Fly's word for some of them: `insufficient_capacity`, `name_taken` … */
  readonly word: string | undefined;
  readonly headers: Record<string, string> | undefined;

  constructor(status: number, message: string, word?: string, headers?: Record<string, string>) {
    super(message);
    this.status = status;
    this.word = word;
    this.headers = headers;
  }

  answer(): { status: number; body: { error: string; status?: string }; headers?: Record<string, string> } {
    const { status, message, word, headers } = this;
    return { status, body: { error: message, ...(word === undefined ? {} : { status: word }) }, ...(headers ? { headers } : {}) };
  }
}

export const notFound = (what: string): ApiError => new ApiError(404, `${what} not found`);
export const invalid = (message: string): ApiError => new ApiError(422, `invalid_argument: ${message}`);
export const precondition = (message: string): ApiError => new ApiError(412, `failed_precondition: ${message}`);
