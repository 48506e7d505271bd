import type { Update } from "./config.js";
import { quote } from "./scalar.js";
import { UPDATE_BLOCK } from "./schema.js";

const GO_NAMES = { reboot_strategy: "RebootStrategy", group: "Group", server: "Server" } as const;

const optionsOf = (update: Update): Readonly<Record<string, string>> => ({
  reboot_strategy: update.rebootStrategy,
  group: update.group,
  server: update.server,
});

/** What is wrong with `coreos.update`, in coreos-cloudinit's words; the only block checked when applied. */
export function checkUpdate(update: Update): string | null {
  if (UPDATE_BLOCK.kind !== "struct") return null;
  const values = optionsOf(update);
  for (const field of UPDATE_BLOCK.fields) {
    const value = values[field.name] ?? "";
    if (field.valid === undefined || value === "" || field.valid.pattern.test(value)) continue;
    const name = field.name === "reboot_strategy" ? GO_NAMES.reboot_strategy : field.name;
    const options = quote(field.valid.source);
    return `invalid value ${quote(value)} for option ${quote(name)} (valid options: ${options})`;
  }
  return null;
}

/**
 * `/etc/coreos/update.conf` rewritten: a line that begins with the name of a given option is
 * replaced, the rest of the given options are appended in the order of their names.
 *
 * @param before - the file as it is, from /etc or else /usr/share/coreos
 */
export function renderUpdateConf(update: Update, before: string): string {
  const pending = new Map<string, string>();
  if (update.group !== "") pending.set("GROUP", `GROUP=${update.group}`);
  if (update.rebootStrategy !== "") {
    pending.set("REBOOT_STRATEGY", `REBOOT_STRATEGY=${update.rebootStrategy}`);
  }
  if (update.server !== "") pending.set("SERVER", `SERVER=${update.server}`);
  const lines = before === "" ? [] : before.replace(/\n$/, "").split("\n");
  const kept = lines.map((line) => {
    for (const [name, replacement] of pending) {
      if (!line.startsWith(name)) continue;
      pending.delete(name);
      return replacement;
    }
    return line;
  });
  return [...kept, ...pending.values()].map((line) => `${line}\n`).join("");
}
