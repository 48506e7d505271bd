/** A type of the configuration, by the name Go prints for it. */
export type Schema =
  | { readonly kind: "string" | "int" | "float64" | "bool" }
  | { readonly kind: "slice"; readonly of: Schema }
  | { readonly kind: "struct"; readonly fields: readonly Field[] };

/** One field of a struct. */
export interface Field {
  /** As in YAML, with `_` for `-`. */
  readonly name: string;
  readonly schema: Schema;
  /** Why it should not be used any more. */
  readonly deprecated?: string;
  /** What a value other than the zero value must match. */
  readonly valid?: ValidPattern;
  /** The environment variable it is rendered as. */
  readonly env?: string;
}

/** A pattern as written in the original, for messages, and as compiled here. */
export interface ValidPattern {
  readonly source: string;
  readonly pattern: RegExp;
}

const STRING: Schema = { kind: "string" };
const INT: Schema = { kind: "int" };
const FLOAT: Schema = { kind: "float64" };
const BOOL: Schema = { kind: "bool" };

const list = (of: Schema): Schema => ({ kind: "slice", of });
const struct = (fields: readonly Field[]): Schema => ({ kind: "struct", fields });
const of = (schema: Schema, names: string): Field[] =>
  names.split(" ").map((name) => ({ name, schema }));
const strings = (names: string): Field[] => of(STRING, names);
const matching = (source: string, pattern = new RegExp(source, "u")): ValidPattern => ({
  source,
  pattern,
});

/** Fields of a block that becomes environment variables: `PREFIX_` and the name in capitals, unless told otherwise. */
function environment(
  prefix: string,
  fields: readonly Field[],
  exceptions: Readonly<Record<string, string>> = {},
): Schema {
  return struct(
    fields.map((field) => ({
      ...field,
      env: exceptions[field.name] ?? `${prefix}_${field.name.toUpperCase()}`,
    })),
  );
}

const NOT_FOR_ETCD = "etcd2 options no longer work for etcd";
const REMOTE_KEYS =
  "trying to fetch from a remote endpoint introduces too many intermittent errors";

const deprecate = (fields: readonly Field[], deprecated: string): Field[] =>
  fields.map((field) => ({ ...field, deprecated }));

const ETCD = environment(
  "ETCD",
  [
    ...strings("addr"),
    ...deprecate(strings("advertise_client_urls"), NOT_FOR_ETCD),
    ...strings("bind_addr ca_file cert_file"),
    ...of(INT, "cluster_active_size"),
    ...of(FLOAT, "cluster_remove_delay cluster_sync_interval"),
    ...strings("cors data_dir discovery"),
    ...deprecate(strings("discovery_fallback discovery_srv discovery_proxy"), NOT_FOR_ETCD),
    ...deprecate(of(INT, "election_timeout"), NOT_FOR_ETCD),
    ...deprecate(of(BOOL, "force_new_cluster"), NOT_FOR_ETCD),
    ...strings("graphite_host"),
    ...deprecate(of(INT, "heartbeat_interval"), NOT_FOR_ETCD),
    ...of(FLOAT, "http_read_timeout http_write_timeout"),
    ...deprecate(
      strings(
        "initial_advertise_peer_urls initial_cluster initial_cluster_state initial_cluster_token",
      ),
      NOT_FOR_ETCD,
    ),
    ...strings("key_file"),
    ...deprecate(strings("listen_client_urls listen_peer_urls"), NOT_FOR_ETCD),
    ...of(INT, "max_result_buffer max_retry_attempts"),
    ...deprecate(of(INT, "max_snapshots max_wals"), NOT_FOR_ETCD),
    ...strings("name peer_addr peer_bind_addr peer_ca_file peer_cert_file"),
    ...of(INT, "peer_election_timeout peer_heartbeat_interval"),
    ...strings("peer_key_file peers peers_file"),
    ...deprecate(strings("proxy"), NOT_FOR_ETCD),
    ...of(FLOAT, "retry_interval"),
    ...of(BOOL, "snapshot"),
    ...of(INT, "snapshot_count"),
    ...strings("trace"),
    ...of(BOOL, "verbose very_verbose very_very_verbose"),
  ],
  { snapshot_count: "ETCD_SNAPSHOTCOUNT" },
);

const ETCD2 = environment("ETCD", [
  ...strings("advertise_client_urls"),
  ...deprecate(strings("ca_file"), "ca_file obsoleted by trusted_ca_file and client_cert_auth"),
  ...strings("cert_file"),
  ...of(BOOL, "client_cert_auth"),
  ...strings("cors data_dir"),
  ...of(BOOL, "debug"),
  ...strings("discovery discovery_fallback discovery_srv discovery_proxy"),
  ...of(INT, "election_timeout"),
  ...of(BOOL, "enable_pprof force_new_cluster"),
  ...of(INT, "heartbeat_interval"),
  ...strings("initial_advertise_peer_urls initial_cluster initial_cluster_state"),
  ...strings("initial_cluster_token key_file listen_client_urls listen_peer_urls"),
  ...strings("log_package_levels"),
  ...of(INT, "max_snapshots max_wals"),
  ...strings("name"),
  ...deprecate(
    strings("peer_ca_file"),
    "peer_ca_file obsoleted peer_trusted_ca_file and peer_client_cert_auth",
  ),
  ...strings("peer_cert_file peer_key_file"),
  ...of(BOOL, "peer_client_cert_auth"),
  ...strings("peer_trusted_ca_file"),
  { name: "proxy", schema: STRING, valid: matching("^(on|off|readonly)$") },
  ...of(INT, "proxy_dial_timeout proxy_failure_wait proxy_read_timeout proxy_refresh_interval"),
  ...of(INT, "proxy_write_timeout snapshot_count"),
  ...of(BOOL, "strict_reconfig_check"),
  ...strings("trusted_ca_file wal_dir"),
]);

const FLANNEL = environment(
  "FLANNELD",
  strings(
    "etcd_endpoints etcd_cafile etcd_certfile etcd_keyfile etcd_prefix etcd_username etcd_password ip_masq subnet_file interface public_ip",
  ),
  { interface: "FLANNELD_IFACE" },
);

const FLEET = environment("FLEET", [
  ...strings("agent_ttl authorized_keys_file"),
  ...of(BOOL, "disable_engine"),
  ...of(FLOAT, "engine_reconcile_interval"),
  ...strings("etcd_cafile etcd_certfile etcd_keyfile etcd_key_prefix"),
  ...of(FLOAT, "etcd_request_timeout"),
  ...strings("etcd_servers etcd_username etcd_password metadata public_ip"),
  ...of(INT, "token_limit verbosity"),
  ...of(BOOL, "verify_units"),
]);

// Go spells a case-insensitive group (?i:…), which this engine's dialect lacks: the letters are written out.
const WINDOW_START =
  "^((?i:sun|mon|tue|wed|thu|fri|sat|sun) )?0*([0-9]|1[0-9]|2[0-3]):0*([0-9]|[1-5][0-9])$";
const WINDOW_START_HERE =
  /^((sun|mon|tue|wed|thu|fri|sat) )?0*([0-9]|1[0-9]|2[0-3]):0*([0-9]|[1-5][0-9])$/i;
// (…[a-z]+)+ is ambiguous only in where a repetition ends, so this linear form accepts the same texts.
const WINDOW_LENGTH = "^[-+]?([0-9]*(\\.[0-9]*)?[a-z]+)+$";

const LOCKSMITH = environment(
  "LOCKSMITHD",
  [
    ...strings("endpoint etcd_cafile etcd_certfile etcd_keyfile etcd_username etcd_password"),
    ...strings("group"),
    {
      name: "window_start",
      schema: STRING,
      valid: matching(WINDOW_START, WINDOW_START_HERE),
    },
    {
      name: "window_length",
      schema: STRING,
      valid: matching(WINDOW_LENGTH, /^[-+]?([0-9]*(\.[0-9]*)?[a-z])+$/u),
    },
  ],
  { window_start: "REBOOT_WINDOW_START", window_length: "REBOOT_WINDOW_LENGTH" },
);

const UPDATE = struct([
  {
    name: "reboot_strategy",
    schema: STRING,
    env: "REBOOT_STRATEGY",
    valid: matching("^(etcd-lock|reboot|off)$"),
  },
  { name: "group", schema: STRING, env: "GROUP" },
  { name: "server", schema: STRING, env: "SERVER" },
]);

const UNIT = struct([
  ...strings("name"),
  ...of(BOOL, "mask enable runtime"),
  ...strings("content"),
  {
    name: "command",
    schema: STRING,
    valid: matching(
      "^(start|stop|restart|reload|try-restart|reload-or-restart|reload-or-try-restart)$",
    ),
  },
  { name: "drop_ins", schema: list(struct(strings("name content"))) },
]);

const FILE = struct([
  {
    name: "encoding",
    schema: STRING,
    valid: matching("^(base64|b64|gz|gzip|gz\\+base64|gzip\\+base64|gz\\+b64|gzip\\+b64)$"),
  },
  ...strings("content owner path"),
  { name: "permissions", schema: STRING, valid: matching("^0?[0-7]{3,4}$") },
]);

const USER = struct([
  ...strings("name passwd"),
  ...of(list(STRING), "ssh_authorized_keys"),
  ...deprecate(strings("coreos_ssh_import_github"), REMOTE_KEYS),
  ...deprecate(of(list(STRING), "coreos_ssh_import_github_users"), REMOTE_KEYS),
  ...deprecate(strings("coreos_ssh_import_url"), REMOTE_KEYS),
  ...strings("gecos homedir"),
  ...of(BOOL, "no_create_home"),
  ...strings("primary_group"),
  ...of(list(STRING), "groups"),
  ...of(BOOL, "no_user_group system no_log_init"),
  ...strings("shell"),
]);

const gone = (name: string) => `${name} is no longer shipped in Container Linux`;

const COREOS = struct([
  { name: "etcd", schema: ETCD, deprecated: gone("etcd") },
  { name: "etcd2", schema: ETCD2, deprecated: gone("etcd2") },
  { name: "flannel", schema: FLANNEL },
  { name: "fleet", schema: FLEET, deprecated: gone("fleet") },
  { name: "locksmith", schema: LOCKSMITH },
  { name: "oem", schema: struct(strings("id name version_id home_url bug_report_url")) },
  { name: "update", schema: UPDATE },
  { name: "units", schema: list(UNIT) },
]);

/** The whole configuration (coreos-cloudinit 1.14, config/*.go). */
export const CLOUD_CONFIG = struct([
  { name: "ssh_authorized_keys", schema: list(STRING) },
  { name: "coreos", schema: COREOS },
  { name: "write_files", schema: list(FILE) },
  { name: "hostname", schema: STRING },
  { name: "users", schema: list(USER) },
  { name: "manage_etc_hosts", schema: STRING },
]);

/** The blocks whose options become environment variables. */
export const SERVICE_BLOCKS = {
  etcd: ETCD,
  etcd2: ETCD2,
  flannel: FLANNEL,
  fleet: FLEET,
  locksmith: LOCKSMITH,
} as const;

/** The schema of `coreos.update`. */
export const UPDATE_BLOCK = UPDATE;

/** The field of that name of a struct. */
export function fieldOf(schema: Schema, name: string): Field | undefined {
  return schema.kind === "struct" ? schema.fields.find((field) => field.name === name) : undefined;
}

/** The type as Go prints it: `[]struct`, `float64`, … */
export function humanType(schema: Schema): string {
  return schema.kind === "slice" ? `[]${humanType(schema.of)}` : schema.kind;
}
