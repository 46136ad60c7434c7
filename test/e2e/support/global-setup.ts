/** Once per run of the end-to-end tests: builds the command when it is stale, and the corpora that duplicity writes. */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the corpora lie, or why there are none. */
    readonly corpora: { readonly folder: string } | { readonly skipped: string };
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const root = project.config.root;
  await buildWhenStale(root);
  if (!(await hasDuplicity())) {
    const skipped = "duplicity is not installed: apt install duplicity";
    console.warn(`end-to-end tests skipped: ${skipped}`);
    project.provide("corpora", { skipped });
    return () => undefined;
  }
  const folder = mkdtempSync(path.join(tmpdir(), "dupmirror-corpora-"));
  project.provide("corpora", { folder });
  const script = path.join(root, "test/fixtures/make-corpus.sh");
  const common = ["--with-restore", "--volsize", "1"];
  await Promise.all([
    execa(script, [...common, "--no-compression", path.join(folder, "plain")]),
    execa(script, [...common, path.join(folder, "gzip")]),
  ]);
  return () => rmSync(folder, { recursive: true, force: true });
}

async function buildWhenStale(root: string): Promise<void> {
  const built = statSync(path.join(root, "dist/cli/main.js"), { throwIfNoEntry: false });
  if (built !== undefined && built.mtimeMs > newestTime(path.join(root, "src"))) return;
  await execa("npm", ["run", "build"], { cwd: root });
}

function newestTime(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(path.join(entry.parentPath, entry.name)).mtimeMs)
    .reduce((newest, time) => Math.max(newest, time), 0);
}

async function hasDuplicity(): Promise<boolean> {
  const { exitCode } = await execa(PROGRAM, ["--version"], { reject: false });
  return exitCode === 0;
}

const PROGRAM = "duplicity";
