/** A refusal in the shape of Google's APIs. */
export class GoogleError extends Error {
  readonly code: number;
  readonly status: string;
  readonly details: readonly unknown[];

  constructor(code: number, status: string, message: string, details: readonly unknown[] = []) {
    super(message);
    this.code = code;
    this.status = status;
    this.details = details;
  }

  body(): unknown {
    return { error: { code: this.code, message: this.message, status: this.status, ...(this.details.length > 0 ? { details: this.details } : {}) } };
  }
}

const type = (name: string) => `type.googleapis.com/google.rpc.${name}`;

/** 400: which field is wrong and why. */
export function invalidArgument(message: string, field?: string): GoogleError {
  return new GoogleError(400, 'INVALID_ARGUMENT', message, field === undefined ? [] : [{ '@type': type('BadRequest'), fieldViolations: [{ field, description: message }] }]);
}

/** The key is missing, wrong, or stands where it does not belong. */
export function keyMissing(): GoogleError {
  return new GoogleError(403, 'PERMISSION_DENIED', "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.");
}

export function keyInvalid(): GoogleError {
  const message = 'API key not valid. Please pass a valid API key.';
  return new GoogleError(400, 'INVALID_ARGUMENT', message, [
    { '@type': type('ErrorInfo'), reason: 'API_KEY_INVALID', domain: 'googleapis.com', metadata: { service: 'generativelanguage.googleapis.com' } },
    { '@type': type('LocalizedMessage'), locale: 'en-US', message },
  ]);
}

export function keyInUrl(): GoogleError {
  return invalidArgument('This stand-in takes the API key in the header x-goog-api-key only: a secret in a URL ends up in logs. Remove ?key= and send the header.', 'key');
}

export function unknownModel(model: string, version: string): GoogleError {
  return new GoogleError(404, 'NOT_FOUND', `models/${model} is not found for API version ${version}, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.`);
}

/** 429 with what was used up and after how many seconds to come back. Of a quota per day Google too says a short time, which does not help. */
export function quotaExceeded(model: string, limit: number, retryAfterSeconds: number, per: 'Minute' | 'Day' = 'Minute'): GoogleError {
  return new GoogleError(429, 'RESOURCE_EXHAUSTED', `You exceeded your current quota, please check your plan and billing details. Please retry in ${retryAfterSeconds}s.`, [
    {
      '@type': type('QuotaFailure'),
      violations: [{
        quotaMetric: 'generativelanguage.googleapis.com/generate_content_requests', quotaId: `GenerateRequestsPer${per}PerProjectPerModel`,
        quotaDimensions: { location: 'global', model }, quotaValue: String(limit),
      }],
    },
    { '@type': type('Help'), links: [{ description: 'Learn more about Gemini API quotas', url: 'https://ai.google.dev/gemini-api/docs/rate-limits' }] },
    { '@type': type('RetryInfo'), retryDelay: `${retryAfterSeconds}s` },
  ]);
}

/** The status names that Google's APIs give to HTTP statuses. */
const STATUS: Readonly<Record<number, string>> = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 408: 'DEADLINE_EXCEEDED', 429: 'RESOURCE_EXHAUSTED', 499: 'CANCELLED', 501: 'UNIMPLEMENTED', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' };

/** An error that was asked for. */
export function errorOf(status: number): GoogleError {
  return new GoogleError(status, STATUS[status] ?? 'INTERNAL', status === 503 ? 'The model is overloaded. Please try again later.' : 'An internal error has occurred. Please retry.');
}
