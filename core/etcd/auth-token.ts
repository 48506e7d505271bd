import { type Generator, type Micros, pick, SECOND } from "../kernel/index.js";

/** How long a token lasts after it was last used. */
export const TOKEN_TTL: Micros = 300 * SECOND;

/** How often a member looks for tokens that are over. */
const TOKEN_SWEEP: Micros = SECOND;

const TOKEN_LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];

const TOKEN_LETTER_COUNT = 16;

/** Who a token stands for on one member, and until when. */
interface Login {
  readonly user: string;
  until: Micros;
}

/**
 * The tokens a member knows (etcd's simple tokens). Every member learns of a new one from the log; how
 * long it lasts is each member's own affair, and a restart forgets them all.
 */
export interface Tokens {
  /** Since when auth is on here, which sets the beat of the sweeps; null while it is off. */
  since: Micros | null;
  logins: Map<string, Login>;
}

export function createTokens(): Tokens {
  return { since: null, logins: new Map() };
}

/** Auth is on: tokens count from now. */
export function enableTokens(tokens: Tokens, now: Micros): void {
  tokens.since ??= now;
}

/** Auth is off: every token is void. */
export function disableTokens(tokens: Tokens): void {
  tokens.since = null;
  tokens.logins = new Map();
}

/** The letters of a new token. */
export function drawToken(generator: Generator): string {
  let token = "";
  for (let i = 0; i < TOKEN_LETTER_COUNT; i++) token += pick(generator, TOKEN_LETTERS);
  return token;
}

/** Lets a token stand for a user. */
export function assignToken(tokens: Tokens, token: string, user: string, now: Micros): void {
  if (tokens.since === null) return;
  tokens.logins.set(token, { user, until: now + TOKEN_TTL });
}

/** Voids the tokens of a user whose password changed, or who is gone. */
export function voidTokensOf(tokens: Tokens, user: string): void {
  for (const [token, login] of tokens.logins) {
    if (login.user === user) tokens.logins.delete(token);
  }
}

/** The user a token stands for, whose time then begins anew; null if it stands for nobody. */
export function userOfToken(tokens: Tokens, token: string, now: Micros): string | null {
  const login = tokens.logins.get(token);
  if (login === undefined || tokens.since === null) return null;
  // A token that is over counts until the next sweep.
  const sweeps = Math.floor((login.until - tokens.since) / TOKEN_SWEEP) + 1;
  if (now >= tokens.since + sweeps * TOKEN_SWEEP) {
    tokens.logins.delete(token);
    return null;
  }
  login.until = now + TOKEN_TTL;
  return login.user;
}

/** The index of the log that must be applied before a token can be judged; null for what is no token. */
export function indexOfToken(token: string): number | null {
  const parts = token.split(".");
  const [, index = ""] = parts;
  if (parts.length !== 2 || !/^[0-9]{1,20}$/.test(index)) return null;
  return Number(index);
}
