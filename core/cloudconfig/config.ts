/**
 * A cloud-config as it is applied (coreos-cloudinit 1.14, config/*.go). Every field is present; what
 * the user left out has the type's zero value ("" / false / 0 / []), as in the original.
 */
export interface CloudConfig {
  readonly sshAuthorizedKeys: readonly string[];
  readonly coreos: CoreOS;
  readonly writeFiles: readonly WriteFile[];
  readonly hostname: string;
  readonly users: readonly User[];
  readonly manageEtcHosts: string;
}

/** The service blocks hold their options by YAML name, in the order of the schema; unset ones are absent. */
export interface CoreOS {
  readonly etcd: ServiceOptions;
  readonly etcd2: ServiceOptions;
  readonly flannel: ServiceOptions;
  readonly fleet: ServiceOptions;
  readonly locksmith: ServiceOptions;
  readonly oem: Oem;
  readonly update: Update;
  readonly units: readonly Unit[];
}

/** Option name to its text, as it is written into an environment (`true`, `10`, `0.5`, …). */
export type ServiceOptions = ReadonlyMap<string, string>;

export interface Oem {
  readonly id: string;
  readonly name: string;
  readonly versionId: string;
  readonly homeUrl: string;
  readonly bugReportUrl: string;
}

export interface Update {
  readonly rebootStrategy: string;
  readonly group: string;
  readonly server: string;
}

export interface Unit {
  readonly name: string;
  readonly mask: boolean;
  readonly enable: boolean;
  readonly runtime: boolean;
  readonly content: string;
  readonly command: string;
  readonly dropIns: readonly DropIn[];
}

export interface DropIn {
  readonly name: string;
  readonly content: string;
}

export interface WriteFile {
  readonly encoding: string;
  readonly content: string;
  readonly owner: string;
  readonly path: string;
  /** As written, such as `0644`; "" means 0644. */
  readonly permissions: string;
}

export interface User {
  readonly name: string;
  readonly passwordHash: string;
  readonly sshAuthorizedKeys: readonly string[];
  readonly sshImportGithubUser: string;
  readonly sshImportGithubUsers: readonly string[];
  readonly sshImportUrl: string;
  readonly gecos: string;
  readonly homedir: string;
  readonly noCreateHome: boolean;
  readonly primaryGroup: string;
  readonly groups: readonly string[];
  readonly noUserGroup: boolean;
  readonly system: boolean;
  readonly noLogInit: boolean;
  readonly shell: string;
}
