/** What a role may do with a range of keys. `rangeEnd` as in a range request. */
export interface Permission {
  readonly type: "read" | "write" | "read-write";
  readonly key: string;
  readonly rangeEnd: string;
}

/** Changes of etcd's Auth service, as the log carries them. Passwords are plain, as in etcd 3.4's log. */
export type AuthWrite =
  | { readonly op: "auth-enable" }
  | { readonly op: "auth-disable" }
  | {
      readonly op: "auth-user-add";
      readonly name: string;
      readonly password: string;
      /** A user without a password cannot log in. */
      readonly noPassword?: boolean;
    }
  | { readonly op: "auth-user-delete"; readonly name: string }
  | { readonly op: "auth-user-change-password"; readonly name: string; readonly password: string }
  | { readonly op: "auth-user-grant-role"; readonly user: string; readonly role: string }
  | { readonly op: "auth-user-revoke-role"; readonly name: string; readonly role: string }
  | { readonly op: "auth-role-add"; readonly name: string }
  | { readonly op: "auth-role-delete"; readonly role: string }
  | {
      readonly op: "auth-role-grant-permission";
      readonly name: string;
      readonly permission: Permission;
    }
  | {
      readonly op: "auth-role-revoke-permission";
      readonly role: string;
      readonly key: string;
      readonly rangeEnd: string;
    };

/** Questions of etcd's Auth service. They go through the log too, so that the answer is not an old one. */
export type AuthRead =
  /** Since etcd 3.5. */
  | { readonly op: "auth-status" }
  | { readonly op: "auth-user-get"; readonly name: string }
  | { readonly op: "auth-user-list" }
  | { readonly op: "auth-role-get"; readonly role: string }
  | { readonly op: "auth-role-list" };

export interface AuthenticateRequest {
  readonly op: "authenticate";
  readonly name: string;
  readonly password: string;
}

export type AuthRequest = AuthWrite | AuthRead | AuthenticateRequest;

/** Whose request an entry of the log is, as the member that took it in found it. */
export interface AuthHeader {
  readonly user: string;
  /** Of the auth store when the token was looked at. */
  readonly revision: number;
}

export type AuthResult =
  | { readonly op: AuthWrite["op"] }
  | { readonly op: "auth-status"; readonly enabled: boolean; readonly authRevision: number }
  | { readonly op: "authenticate"; readonly token: string }
  | { readonly op: "auth-user-get"; readonly roles: readonly string[] }
  | { readonly op: "auth-user-list"; readonly users: readonly string[] }
  | { readonly op: "auth-role-get"; readonly permissions: readonly Permission[] }
  | { readonly op: "auth-role-list"; readonly roles: readonly string[] };
