import type { Micros } from "../kernel/index.js";
import { parseUnitName, type UnitName } from "./names.js";
import type { Assignment, Reader, Values } from "./reader.js";

/** The [Socket] section, as far as it says what starts when. Commands of sockets are not modelled. */
export interface SocketConfig {
  readonly service: string;
  readonly listens: readonly string[];
  /** Those of them that lie in the file system. */
  readonly nodes: readonly SocketNode[];
  readonly removeOnStop: boolean;
  readonly accept: boolean;
  readonly triggerInterval: Micros;
  readonly triggerBurst: number | null;
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
  /^(Socket(User|Group|Mode|Protocol)|DirectoryMode|Backlog|BindIPv6Only|BindToDevice|KeepAlive\w*|NoDelay|Priority|ReceiveBuffer|SendBuffer|ReusePort|FreeBind|Transparent|Broadcast|Pass\w+|Symlinks|FileDescriptorName|MaxConnections\w*|Writable|DeferAcceptSec|IPTOS|IPTTL|Mark|PipeSize|Timestamping|TimeoutSec|X-.*)$/;

export function zeroSocket(name: UnitName): SocketConfig {
  const service = name.name.replace(/\.socket$/, ".service");
  return {
    service,
    listens: [],
    nodes: [],
    removeOnStop: false,
    accept: false,
    triggerInterval: 2_000_000,
    triggerBurst: null,
  };
}

/** Reads a [Socket] section. `bad` says why systemd refuses the unit; "" when it does not. */
export function readSocket(
  before: SocketConfig,
  assignments: readonly Assignment[],
  values: Values,
  reader: Reader,
): { socket: SocketConfig; bad: string } {
  let { service, accept, removeOnStop, triggerInterval, triggerBurst } = before;
  const listens = [...before.listens];
  const nodes = [...before.nodes];
  for (const at of assignments) {
    if (LISTENS.has(at.key)) {
      const address = values.text(at);
      if (at.value === "") {
        listens.length = 0;
        nodes.length = 0;
      } else listens.push(address);
      if (address.startsWith("/") && MAKES_NODE.test(at.key)) {
        nodes.push({ path: address, fifo: at.key === "ListenFIFO" });
      }
    } else if (at.key === "Accept") accept = values.boolean(at, accept);
    else if (at.key === "Service") {
      const text = values.text(at);
      if (parseUnitName(text)?.type === "service") service = text;
      else values.ignore(at);
    } else if (at.key === "TriggerLimitIntervalSec") {
      triggerInterval = values.span(at, triggerInterval);
    } else if (at.key === "TriggerLimitBurst") triggerBurst = values.count(at, triggerBurst ?? 0);
    else if (at.key === "RemoveOnStop") removeOnStop = values.boolean(at, removeOnStop);
    else if (!HARMLESS.test(at.key)) reader.unsupported.push(`${at.key}=`);
  }
  if (accept) reader.unsupported.push("Accept=yes");
  const bad =
    listens.length === 0
      ? "Unit has no Listen setting (ListenStream=, ListenDatagram=, ListenFIFO=, ...)."
      : "";
  return {
    socket: { service, listens, nodes, removeOnStop, accept, triggerInterval, triggerBurst },
    bad,
  };
}
