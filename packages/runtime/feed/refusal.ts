import { FEED_CLOSE, TradeMindError } from '@trademind/core';

const SENTENCES = {
  ticket_missing: 'A ticket or session token is needed.',
  ticket_invalid: 'The ticket is not valid.',
  ticket_expired: 'The ticket is too old.',
  ticket_used: 'The ticket was used before; each opens one session.',
  wrong_machine: 'The ticket is for another machine.',
  wrong_user: 'This machine belongs to another user.',
  session_invalid: 'The session token is not valid.',
  session_expired: 'The session has ended.',
  scope_missing: 'The session may not do that.',
} as const;
export type RefusalCode = keyof typeof SENTENCES;

/** Why the feed lets someone not in. `code` is also the reason of the WebSocket close and the code of the REST problem. */
export class FeedRefusal extends TradeMindError {
  declare readonly code: RefusalCode;

  constructor(code: RefusalCode) {
    super({
      code, message: SENTENCES[code],
      nextStep: code === 'scope_missing' ? 'Ask the control plane for a ticket with the scope.' : 'Ask the control plane for a new ticket.',
    });
  }

  get closeCode(): number {
    return this.code === 'scope_missing' ? FEED_CLOSE.scope : FEED_CLOSE.ticket;
  }

  get status(): number {
    return this.code === 'scope_missing' ? 403 : 401;
  }
}
