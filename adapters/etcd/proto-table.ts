/** Number on the wire, type, and whether there may be many. */
export type FieldSpec = readonly [number, string, "repeated"?];

export interface MessageJson {
  readonly fields: Record<string, { id: number; type: string; rule?: "repeated" }>;
  readonly oneofs?: Record<string, { oneof: string[] }>;
}

export interface EnumJson {
  readonly values: Record<string, number>;
}

/** A message of a table, in the form that protobufjs loads. */
export function message(
  fields: Readonly<Record<string, FieldSpec>>,
  oneofs?: Readonly<Record<string, readonly string[]>>,
): MessageJson {
  return {
    fields: Object.fromEntries(
      Object.entries(fields).map(([name, [id, type, rule]]) => [
        name,
        { id, type, ...(rule === undefined ? {} : { rule }) },
      ]),
    ),
    ...(oneofs === undefined
      ? {}
      : {
          oneofs: Object.fromEntries(
            Object.entries(oneofs).map(([name, oneof]) => [name, { oneof: [...oneof] }]),
          ),
        }),
  };
}

/**
 * An enumeration of a table: its names in the order of their numbers, from 0. One that belongs to a message
 * is called as Go calls it, after both, since error texts do.
 */
export function enumeration(...names: readonly string[]): EnumJson {
  return { values: Object.fromEntries(names.map((name, number) => [name, number])) };
}

/** Every answer of etcd begins with it. */
export const header: FieldSpec = [1, "etcdserverpb.ResponseHeader"];
