import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { dupmirror, dupmirrorWorks } from "../support/cli.js";
import { openSecure } from "../support/host-kinds.js";
import { fastTemporaryFolder } from "../support/temporary.js";
import { compareTrees } from "../support/tree-compare.js";
import { liveOneStep, makeTree } from "../support/trees.js";
import { NO_NGINX, NO_RCLONE, startNginx, startRclone } from "../support/web-servers.js";
import { type Master, makeMaster, makeReplica, publish, sync } from "../support/workspace.js";
import { describeWithDuplicity } from "./support/corpus.js";

const Status = z.looseObject({
  hosts: z.array(
    z.looseObject({
      state: z.enum(["current", "behind"]),
      error: z.string().optional(),
      behindSince: z.number().optional(),
      generation: z.number().optional(),
      missingBytes: z.number().optional(),
    }),
  ),
});

const Audit = z.looseObject({
  seed: z.number(),
  places: z.array(
    z.looseObject({
      name: z.string(),
      findings: z.array(z.looseObject({ kind: z.string(), path: z.string() })),
    }),
  ),
});

const skipped = NO_NGINX ?? NO_RCLONE;

describeWithDuplicity("three web servers as hosts", () => {
  test.skipIf(skipped)(
    `serve replicas, whatever befalls one of them ${skipped ?? ""}`,
    async () => {
      const folder = fastTemporaryFolder();
      const tree = path.join(folder, "tree");
      const files = makeTree(tree, { files: 100 });
      const [dav, plain, rclone] = [
        await startNginx(),
        await startNginx({ isPlain: true }),
        await startRclone(),
      ];
      const places = [openSecure(dav), openSecure(plain), { ...rclone, access: {} }];
      const urls = places.map(({ url, access }) => ({ url, ...toConfig(access) }));
      const hosts = urls.map((host, share) => ({
        name: `host-${share}`,
        ...host,
        shares: [share],
      }));
      const master = await makeMaster(folder, { tree, k: 2, n: 3, more: { hosts } });
      const replica = makeReplica(path.join(folder, "replica"), {
        sources: [],
        more: { sources: urls },
        keyFile: master.keyFile,
      });
      const followsAlone = async (): Promise<void> => {
        await sync(replica);
        expect(compareTrees(tree, replica.tree)).toEqual([]);
      };

      await publish(master);
      expect((await statusOf(master)).map(({ state }) => state)).toEqual(Array(3).fill("current"));
      await followsAlone();

      await dav.stop();
      liveOneStep(tree, files, 1);
      await publish(master);
      const [behind] = await statusOf(master);
      expect(behind).toMatchObject({ state: "behind", generation: 1 });
      expect(behind?.error).toMatch(/ECONNREFUSED/);
      expect(behind?.missingBytes).toBeGreaterThan(0);
      const { stdout } = await dupmirrorWorks(["master", "status", "-c", master.configFile]);
      expect(stdout).toMatch(
        /host host-0, shares 0: behind since .*, holds generation 1, .* missing/,
      );
      await followsAlone();

      await dav.start();
      await publish(master);
      expect((await statusOf(master))[0]).toMatchObject({ state: "current", generation: 3 });

      rmSync(rclone.folder, { recursive: true });
      spoilPacks(path.join(plain.folder, "shares/1"));
      const found = await audit(master, "--all");
      expect(found.exitCode).toBe(1);
      const kinds = found.report.places.map(({ findings }) => findings.map(({ kind }) => kind));
      expect(kinds.map((all) => [...new Set(all)])).toEqual([[], [], ["rotten"], ["missing"]]);
      expect((await audit(master, "--all", "--repair")).exitCode).toBe(0);
      expect((await audit(master, "--all")).exitCode).toBe(0);

      await dav.stop();
      const fresh = makeReplica(path.join(folder, "fresh"), {
        sources: [],
        more: { sources: urls.slice(1) },
        keyFile: master.keyFile,
      });
      await sync(fresh);
      expect(compareTrees(tree, fresh.tree)).toEqual([]);
    },
  );
});

async function statusOf(master: Master) {
  const words = ["master", "status", "--json", "-c", master.configFile];
  const { stdout } = await dupmirrorWorks(words);
  return Status.parse(JSON.parse(stdout)).hosts;
}

async function audit(master: Master, ...words: readonly string[]) {
  const result = await dupmirror(["master", "audit", "--json", ...words, "-c", master.configFile]);
  return { exitCode: result.exitCode, report: Audit.parse(JSON.parse(result.stdout)) };
}

/** A byte of every file below. */
function spoilPacks(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    writeFileSync(file, bytes);
  }
}

/** As the config has it. */
function toConfig({ tls, auth }: ReturnType<typeof openSecure>["access"]) {
  if (auth?.kind !== "basic") return {};
  return { tls, auth: { user: auth.user, passwordFile: auth.passwordFile } };
}
