import { type ByteText, fromBytes, goJson } from "../go/index.js";

/** An HTTP request as fleet's API looks at it. */
export interface FleetHttpRequest {
  readonly method: string;
  /** Path and query as the request line has them, escapes and all. */
  readonly target: string;
  /** Every Content-Type header, in order. */
  readonly contentTypes: readonly string[];
  /** The body's bytes. */
  readonly body: ByteText;
}

/** What becomes of a request: an answer, or a connection that is closed without one. */
export type FleetHttpResponse =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | { readonly kind: "dropped" }
  /** Nobody listens. */
  | { readonly kind: "refused" };

/** The version that the API names itself by. */
const SERVER = "fleetd/1.0.0";

const JSON_TYPE = "application/json";

/** An answer with a JSON text for a body; a status of 204 has none. */
export function jsonAnswer(status: number, json: string): FleetHttpResponse {
  const headers = { "Content-Type": JSON_TYPE, Server: SERVER };
  return { kind: "answer", status, headers, body: status === 204 ? "" : json };
}

/** An answer that is its status. */
export function emptyAnswer(status: number): FleetHttpResponse {
  return { kind: "answer", status, headers: { Server: SERVER }, body: "" };
}

/** fleet's error entity. Internal errors say nothing but their code. */
export function errorAnswer(status: number, message = ""): FleetHttpResponse {
  return jsonAnswer(status, goJson({ error: { code: status, message } }));
}

/** While fleetd has not registered, or has lost its presence. Not from behind the mux: no Server header. */
export function unavailableAnswer(): FleetHttpResponse {
  const message = "fleet server unable to communicate with etcd";
  const body = goJson({ error: { code: 503, message } });
  return { kind: "answer", status: 503, headers: { "Content-Type": JSON_TYPE }, body };
}

/** Where Go's mux sends a path that is not clean. */
export function movedAnswer(location: string, method: string): FleetHttpResponse {
  const body = method === "GET" ? `<a href="${location}">Moved Permanently</a>.\n\n` : "";
  const type = method === "GET" ? { "Content-Type": "text/html; charset=utf-8" } : {};
  const headers = { Location: location, Server: SERVER, ...type };
  return { kind: "answer", status: 301, headers, body };
}

/** A text that is not JSON. */
export function textAnswer(type: string, body: string): FleetHttpResponse {
  return { kind: "answer", status: 200, headers: { "Content-Type": type, Server: SERVER }, body };
}

/** What Go's server says to a request line it cannot read, and closes the connection. */
export function badRequestAnswer(): FleetHttpResponse {
  const headers = { "Content-Type": "text/plain; charset=utf-8", Connection: "close" };
  return { kind: "answer", status: 400, headers, body: "400 Bad Request" };
}

export const DROPPED: FleetHttpResponse = { kind: "dropped" };

/** A target taken apart: the path without escapes, null if they make no sense, and the raw query. */
export function splitTarget(target: string): {
  readonly path: string | null;
  readonly query: string;
} {
  const at = target.indexOf("?");
  const path = at < 0 ? target : target.slice(0, at);
  return { path: withoutEscapes(path), query: at < 0 ? "" : target.slice(at + 1) };
}

/** The values of a query parameter, in order; pairs whose escapes make no sense are left out. */
export function queryValues(query: string, name: string): string[] {
  const values: string[] = [];
  for (const pair of query.split("&")) {
    const at = pair.indexOf("=");
    const key = queryText(at < 0 ? pair : pair.slice(0, at));
    const value = queryText(at < 0 ? "" : pair.slice(at + 1));
    if (key === name && value !== null) values.push(value);
  }
  return values;
}

function queryText(text: string): string | null {
  return withoutEscapes(text.replaceAll("+", " "));
}

function withoutEscapes(text: ByteText): string | null {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return null;
  const byte = (_: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16));
  return fromBytes(text.replace(/%(..)/g, byte));
}

/** The path as Go's mux has it: no `//`, no `.` and `..`, a slash at its end kept. */
export function cleanPath(path: string): string {
  const clean = joinPath(path);
  return path.endsWith("/") && clean !== "/" ? `${clean}/` : clean;
}

/** Go's path.Join of absolute paths. */
export function joinPath(...parts: readonly string[]): string {
  const kept: string[] = [];
  for (const part of parts.join("/").split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}
