import { imageReference } from "../../core/container/index.js";
import type { NodeIndex } from "../../core/kernel/index.js";
import type { ContainersSpec, ImageSpec, UsersSpec } from "./containers.js";
import type { SourceDocument } from "./document.js";
import type { Names } from "./names.js";
import type { RawContainers, RawUsers } from "./schema-containers.js";

/** The engines and images of a scenario; a layer that is only a size is its image's own. */
export function resolveContainers(
  source: SourceDocument,
  raw: RawContainers | undefined,
  node: NodeIndex,
  services: Map<string, NodeIndex>,
): ContainersSpec | null {
  if (raw === undefined) return null;
  services.set("registry", node);
  const sizes = new Map<string, number>();
  const seen = new Set<string>();
  const images = Object.entries(raw.images).map(([written, image]): ImageSpec => {
    const name = imageReference(written);
    const path = ["containers", "images", written];
    if (seen.has(name)) {
      const found = `the image ${name} a second time`;
      source.report(
        path,
        "E_SCENARIO_DUPLICATE",
        found,
        "each image once",
        "Merge the two.",
        "key",
      );
    }
    seen.add(name);
    const layers = image.layers.map((layer, i) => {
      if (typeof layer === "number") return { id: `${name}#${i + 1}`, bytes: layer };
      const known = sizes.get(layer.id);
      if (known !== undefined && known !== layer.size) {
        const found = `layer ${layer.id} of ${layer.size} bytes`;
        const expected = `${known} bytes, as it was given before`;
        source.report([...path, "layers", i], "E_SCENARIO_VALUE", found, expected, "Name it anew.");
      }
      sizes.set(layer.id, layer.size);
      return { id: layer.id, bytes: layer.size };
    });
    return {
      name,
      present: image.present,
      layers,
      readyAfter: image.ready_after,
      exits: image.exits === "never" ? null : image.exits,
      stopTakes: image.stop_takes === "never" ? null : image.stop_takes,
      stopCode: image.stop_code,
      listens: image.listens,
    };
  });
  return {
    node,
    docker: {
      version: raw.docker,
      liveRestore: raw.live_restore,
      startTakes: raw.daemon_start,
    },
    flannel: raw.flannel,
    registryBandwidth: raw.registry.bandwidth,
    hostBandwidth: raw.host_bandwidth,
    images,
  };
}

/** Who asks through whom. */
export function resolveUsers(
  source: SourceDocument,
  raw: RawUsers | undefined,
  names: Names,
  containers: ContainersSpec | null,
): { readonly users?: UsersSpec } {
  if (raw === undefined) return {};
  if (containers === null) {
    const found = "users and no containers";
    const advice = "Balancers are known on hosts with engines: add `containers: {}`.";
    source.report(["users"], "E_SCENARIO_REFERENCE", found, "`containers`", advice, "key");
  }
  const { from, every, timeout } = raw;
  const through = names.hostList(["users", "through"], raw.through);
  return { users: { from, every, timeout, through } };
}
