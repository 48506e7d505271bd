import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The program as users have it: `orrery.js`, built from this tree. */
    readonly program: string;
  }
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Builds the program outside the tree, once for all tests that start it, and deletes it when they are done.
 * A program that is built starts in a third of the time that the sources take. Types are not looked at:
 * `npm run typecheck` does that.
 */
export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "orrery-built-"));
  copyFileSync(join(ROOT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
  const build = (): void => {
    const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const config = ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", folder, "--noCheck"];
    const leaveOut = ["--declaration", "false", "--sourceMap", "false"];
    execFileSync(process.execPath, [compiler, ...config, ...leaveOut], { stdio: "inherit" });
  };
  build();
  project.onTestsRerun(build);
  project.provide("program", join(folder, "bin", "orrery.js"));
  return () => rmSync(folder, { recursive: true, force: true });
}
