import type { Micros } from "../kernel/index.js";
import type { Command } from "./command.js";
import { type EnvironmentConfig, type EnvironmentDraft, readEnvironment } from "./environment.js";
import { type KillConfig, readKill, ZERO_KILL } from "./kill-config.js";
import { parseUnitName, type UnitName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

/** The phases in which a socket runs commands. */
export type SocketCommandList = "ExecStartPre" | "ExecStartPost" | "ExecStopPre" | "ExecStopPost";

/** The [Socket] section, as far as it says what starts when. Spans in microseconds; FOREVER stands for infinity. */
export interface SocketConfig extends KillConfig, EnvironmentConfig {
  readonly service: string;
  readonly listens: readonly string[];
  /** Those of them that lie in the file system. */
  readonly nodes: readonly SocketNode[];
  readonly removeOnStop: boolean;
  /** SocketUser= and SocketGroup=, to whom they are given; "": to nobody. */
  readonly user: string;
  readonly group: string;
  readonly accept: boolean;
  readonly triggerInterval: Micros;
  readonly triggerBurst: number | null;
  readonly commands: Readonly<Record<SocketCommandList, readonly Command[]>>;
  /** TimeoutSec=, for each of the commands. */
  readonly timeout: Micros;
}

/** A FIFO, or a socket that is bound to a path. */
export interface SocketNode {
  readonly path: string;
  readonly fifo: boolean;
}

/** Those that make something in the file system when they are given a path. */
const MAKES_NODE = /^Listen(Stream|Datagram|SequentialPacket|FIFO)$/;

const LISTENS: ReadonlySet<string> = new Set([
  "ListenStream",
  "ListenDatagram",
  "ListenSequentialPacket",
  "ListenFIFO",
  "ListenSpecial",
  "ListenNetlink",
  "ListenMessageQueue",
]);

/** Settings of the kernel's sockets, which nothing here depends on. */
const HARMLESS =
  /^(Socket(Mode|Protocol)|DirectoryMode|Backlog|BindIPv6Only|BindToDevice|KeepAlive\w*|NoDelay|Priority|ReceiveBuffer|SendBuffer|ReusePort|FreeBind|Transparent|Broadcast|Pass\w+|Symlinks|FileDescriptorName|MaxConnections\w*|Writable|DeferAcceptSec|IPTOS|IPTTL|Mark|PipeSize|Timestamping|X-.*)$/;

export function zeroSocket(name: UnitName, timeout: Micros): SocketConfig {
  const service = name.name.replace(/\.socket$/, ".service");
  return {
    service,
    listens: [],
    nodes: [],
    removeOnStop: false,
    user: "",
    group: "",
    accept: false,
    triggerInterval: 2_000_000,
    triggerBurst: null,
    commands: { ExecStartPre: [], ExecStartPost: [], ExecStopPre: [], ExecStopPost: [] },
    timeout,
    environment: [],
    environmentFiles: [],
    ...ZERO_KILL,
  };
}

/** Settings that are still read: their lists grow in place. */
type Draft = { -readonly [Key in keyof SocketConfig]: SocketConfig[Key] } & EnvironmentDraft & {
    listens: string[];
    nodes: SocketNode[];
    commands: Record<SocketCommandList, Command[]>;
  };

function draftOf(socket: SocketConfig): Draft {
  const { commands } = socket;
  return {
    ...socket,
    listens: [...socket.listens],
    nodes: [...socket.nodes],
    commands: {
      ExecStartPre: [...commands.ExecStartPre],
      ExecStartPost: [...commands.ExecStartPost],
      ExecStopPre: [...commands.ExecStopPre],
      ExecStopPost: [...commands.ExecStopPost],
    },
    environment: [...socket.environment],
    environmentFiles: [...socket.environmentFiles],
  };
}

/** Reads a [Socket] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readSocket(
  before: SocketConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { socket: SocketConfig; bad: string } {
  const draft = draftOf(before);
  let bad = "";
  for (const at of assignments) {
    if (LISTENS.has(at.key)) readListen(draft, at, values);
    else if (isCommandList(at.key)) {
      if (!values.commands(at, draft.commands[at.key])) bad = `${at.key}=${at.value}`;
    } else if (
      !readSetting(draft, at, values) &&
      !readKill(draft, at, values) &&
      !readEnvironment(draft, at, values) &&
      !HARMLESS.test(at.key)
    ) {
      reader.unsupported.push(`${at.key}=`);
    }
  }
  if (draft.accept) reader.unsupported.push("Accept=yes");
  if (bad === "" && draft.listens.length === 0) {
    bad = "Unit has no Listen setting (ListenStream=, ListenDatagram=, ListenFIFO=, ...).";
  }
  return { socket: draft, bad };
}

const COMMAND_LISTS: ReadonlySet<string> = new Set<SocketCommandList>([
  "ExecStartPre",
  "ExecStartPost",
  "ExecStopPre",
  "ExecStopPost",
]);

function isCommandList(key: string): key is SocketCommandList {
  return COMMAND_LISTS.has(key);
}

function readListen(draft: Draft, at: Assignment, values: Values): void {
  const address = values.text(at);
  if (at.value === "") {
    draft.listens.length = 0;
    draft.nodes.length = 0;
  } else draft.listens.push(address);
  if (address.startsWith("/") && MAKES_NODE.test(at.key)) {
    draft.nodes.push({ path: address, fifo: at.key === "ListenFIFO" });
  }
}

function readSetting(draft: Draft, at: Assignment, values: Values): boolean {
  switch (at.key) {
    case "Accept":
      draft.accept = values.boolean(at, draft.accept);
      return true;
    case "Service": {
      const text = values.text(at);
      if (parseUnitName(text)?.type === "service") draft.service = text;
      else values.ignore(at);
      return true;
    }
    case "TriggerLimitIntervalSec":
      draft.triggerInterval = values.span(at, draft.triggerInterval);
      return true;
    case "TriggerLimitBurst":
      draft.triggerBurst = values.count(at, draft.triggerBurst ?? 0);
      return true;
    case "RemoveOnStop":
      draft.removeOnStop = values.boolean(at, draft.removeOnStop);
      return true;
    case "SocketUser":
      draft.user = values.text(at);
      return true;
    case "SocketGroup":
      draft.group = values.text(at);
      return true;
    case "TimeoutSec":
      draft.timeout = values.limit(at, draft.timeout);
      return true;
    default:
      return false;
  }
}
