/**
 * Import rules. The finer ones are held by property-tests/imports.test.ts: floors within core, and circles, since
 * this parser does not tell the imports of types from others.
 */
const only = (from, to, comment) => ({
  name: `${from}-imports-only-${to.join("-")}`,
  comment,
  severity: "error",
  from: { path: `^${from}/`, pathNot: "\\.test\\.tsx?$|/testing/" },
  to: {
    path: "^(core|sim|adapters|viz|property-tests|bench|bin)/",
    pathNot: `^(${to.join("|")})/`,
  },
});

module.exports = {
  forbidden: [
    {
      name: "core-is-pure",
      severity: "error",
      from: { path: "^core/", pathNot: "\\.test\\.ts$|/testing/" },
      to: { dependencyTypes: ["core", "npm", "npm-dev"], pathNot: "node_modules/(immer|yaml)/" },
    },
    only("core", ["core"], "the core knows no world"),
    only("sim", ["core", "sim"], "a world knows the core"),
    only("adapters", ["core", "adapters"], "a world knows the core"),
    only("viz", ["core", "viz"], "viz reads logs, never a world"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // The parser reads no TSX; property-tests/imports.test.ts does.
    exclude: { path: "\\.tsx$" },
    parser: "swc",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      extensions: [".ts", ".tsx", ".js"],
      conditionNames: ["import", "types", "default"],
    },
  },
};
