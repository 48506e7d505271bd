import { type Changed, enterJoint, leaveJoint, simpleChange } from "../../core/raft/changer.js";
import { progressView } from "../../core/raft/progress.js";
import { confStateOf, createTracker } from "../../core/raft/tracker.js";
import { parseChanges } from "./raft/commands.js";
import { asExpected, type Directive, parseScript } from "./raft/datadriven.js";
import { describeConfig, describeProgress } from "./raft/describe.js";
import { CommandError } from "./raft/environment.js";
import type { Suite } from "./suite.js";
import { witnessFiles } from "./witness.js";

/** How configurations are made from one another, and what is refused. */
export const raftConfChange: Suite = {
  name: "raft-confchange",
  about: "directives of configuration scripts, against etcd-io/raft 3.7",
  run(dataDir, report) {
    for (const { path, text } of witnessFiles(dataDir, "raft/confchange", ".txt", report)) {
      const run = createRunner();
      for (const directive of parseScript(text)) {
        const name = `${path}:${directive.line}`;
        const actual = asExpected(run(directive));
        report.compare(name, () => directive.source, directive.expected, actual);
      }
    }
  },
};

/** Each file changes one configuration, which starts out empty, over a log that grows with every directive. */
function createRunner(): (directive: Directive) => string {
  const tracker = createTracker(10, 0);
  let lastIndex = 0;
  return (directive) => {
    const changed = change(directive);
    lastIndex++;
    if (typeof changed === "string") return changed;
    tracker.config = changed.config;
    tracker.progress = changed.progress;
    const progress = changed.progress.map(
      (peer) => `${peer.id}: ${describeProgress(progressView(peer))}\n`,
    );
    return `${describeConfig(confStateOf(changed.config))}\n${progress.join("")}`;
  };

  function change({ command, args, input }: Directive): Changed | string {
    try {
      const changes = parseChanges(input);
      switch (command) {
        case "simple":
          return simpleChange(tracker, lastIndex, changes);
        case "enter-joint": {
          const autoLeave = args.find(({ key }) => key === "autoleave")?.values[0] === "true";
          return enterJoint(tracker, lastIndex, autoLeave, changes);
        }
        case "leave-joint":
          return changes.length > 0 ? "this command takes no input" : leaveJoint(tracker);
        default:
          return "unknown command";
      }
    } catch (error) {
      if (error instanceof CommandError) return error.message;
      throw error;
    }
  }
}
