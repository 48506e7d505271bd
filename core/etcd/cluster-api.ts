import type { Member } from "./membership.js";

/** Requests of etcd's Cluster service. Member ids are 16 hex digits. */
export type ClusterRequest =
  /** Linearizable since etcd 3.5, where it can be asked for. */
  | { readonly op: "member-list"; readonly linearizable?: boolean }
  | { readonly op: "member-add"; readonly peerUrls: readonly string[]; readonly learner?: boolean }
  | { readonly op: "member-remove"; readonly member: string }
  | { readonly op: "member-update"; readonly member: string; readonly peerUrls: readonly string[] }
  | { readonly op: "member-promote"; readonly member: string };

export interface ClusterResult {
  readonly op: ClusterRequest["op"];
  readonly members: readonly Member[];
  /** The member that was added; null for other requests. */
  readonly member: Member | null;
}
