import type { ClusterRequest, ClusterResult } from "../../core/etcd/cluster-api.js";
import type { Member } from "../../core/etcd/membership.js";
import type { Call, Calls } from "./wire-calls.js";
import {
  flagAt,
  idAt,
  messageAt,
  messagesAt,
  present,
  textAt,
  textsAt,
  unsignedId,
  type Wire,
} from "./wire-fields.js";

const list: Call<"member-list"> = {
  path: "/etcdserverpb.Cluster/MemberList",
  writeRequest: (request) => ({ linearizable: request.linearizable === true }),
  readRequest: (message) => ({
    op: "member-list",
    ...present({ linearizable: flagAt(message, "linearizable") }),
  }),
  ...results("member-list"),
};

const add: Call<"member-add"> = {
  path: "/etcdserverpb.Cluster/MemberAdd",
  writeRequest: (request) => ({ peerURLs: request.peerUrls, isLearner: request.learner === true }),
  readRequest: (message) => ({
    op: "member-add",
    peerUrls: textsAt(message, "peerURLs"),
    ...present({ learner: flagAt(message, "isLearner") }),
  }),
  ...results("member-add"),
};

const remove: Call<"member-remove"> = {
  path: "/etcdserverpb.Cluster/MemberRemove",
  writeRequest: (request) => ({ ID: unsignedId(request.member) }),
  readRequest: (message) => ({ op: "member-remove", member: idAt(message, "ID") }),
  ...results("member-remove"),
};

const update: Call<"member-update"> = {
  path: "/etcdserverpb.Cluster/MemberUpdate",
  writeRequest: (request) => ({ ID: unsignedId(request.member), peerURLs: request.peerUrls }),
  readRequest: (message) => ({
    op: "member-update",
    member: idAt(message, "ID"),
    peerUrls: textsAt(message, "peerURLs"),
  }),
  ...results("member-update"),
};

const promote: Call<"member-promote"> = {
  path: "/etcdserverpb.Cluster/MemberPromote",
  writeRequest: (request) => ({ ID: unsignedId(request.member) }),
  readRequest: (message) => ({ op: "member-promote", member: idAt(message, "ID") }),
  ...results("member-promote"),
};

/** Service Cluster. */
export const clusterCalls: Calls<ClusterRequest["op"]> = {
  "member-list": list,
  "member-add": add,
  "member-remove": remove,
  "member-update": update,
  "member-promote": promote,
};

function results<Op extends ClusterRequest["op"]>(op: Op) {
  return {
    writeResult: (result: ClusterResult): Wire => ({
      ...(result.member === null ? {} : { member: memberMessage(result.member) }),
      members: result.members.map(memberMessage),
    }),
    readResult: (message: Wire): ClusterResult & { readonly op: Op } => {
      const member = messageAt(message, "member");
      return {
        op,
        members: messagesAt(message, "members").map(readMember),
        member: member === null ? null : readMember(member),
      };
    },
  };
}

function memberMessage(member: Member): Wire {
  return {
    ID: unsignedId(member.id),
    name: member.name,
    peerURLs: member.peerUrls,
    clientURLs: member.clientUrls,
    isLearner: member.learner,
  };
}

function readMember(message: Wire): Member {
  return {
    id: idAt(message, "ID"),
    name: textAt(message, "name"),
    peerUrls: textsAt(message, "peerURLs"),
    clientUrls: textsAt(message, "clientURLs"),
    learner: flagAt(message, "isLearner"),
  };
}
