import { ILLEGAL, type Model } from "./model.js";

/** A specification that may leave open which state an operation leads to. */
export interface NondeterministicModel<World, Input, Output> {
  readonly name: string;
  partition?(input: Input): string;
  init(): readonly World[];
  /** Every state the operation may lead to; none if the result cannot be. */
  step(world: World, input: Input, output: Output | null): readonly World[];
  /** Equal for equal worlds, different for different ones; holds no newline. */
  worldKey(world: World): string;
  readOnly?(input: Input, output: Output | null): boolean;
  operationKey?(input: Input, output: Output | null): string;
  describe(input: Input, output: Output | null): string;
}

/** The same as a model whose states are sets of worlds, ordered by their keys. */
export function powerSet<World, Input, Output>(
  model: NondeterministicModel<World, Input, Output>,
): Model<readonly World[], Input, Output> {
  const { partition, readOnly, operationKey } = model;
  const merge = (worlds: readonly World[]): readonly World[] => {
    if (worlds.length < 2) return worlds;
    const byKey = new Map(worlds.map((world) => [model.worldKey(world), world]));
    return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, world]) => world);
  };
  return {
    name: model.name,
    ...(partition === undefined ? {} : { partition }),
    ...(readOnly === undefined ? {} : { readOnly }),
    ...(operationKey === undefined ? {} : { operationKey }),
    init: () => merge(model.init()),
    step(state, input, output) {
      const worlds = merge(state.flatMap((world) => model.step(world, input, output)));
      return worlds.length === 0 ? ILLEGAL : { ok: true, state: worlds };
    },
    stateKey: (state) => state.map((world) => model.worldKey(world)).join("\n"),
    describe: model.describe,
  };
}
