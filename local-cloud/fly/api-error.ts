/** A refusal in Fly's own shape: `{error, status?}` with an HTTP status. */
export class ApiError extends Error {
  readonly status: number;
  /** Fly's word for some of them: `insufficient_capacity`, `name_taken` … */
  readonly word: string | undefined;

  constructor(status: number, message: string, word?: string) {
    super(message);
    this.status = status;
    this.word = word;
  }
}

export const notFound = (what: string): ApiError => new ApiError(404, `${what} not found`);
export const invalid = (message: string): ApiError => new ApiError(422, `invalid_argument: ${message}`);
export const precondition = (message: string): ApiError => new ApiError(412, `failed_precondition: ${message}`);
