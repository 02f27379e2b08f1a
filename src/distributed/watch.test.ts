// What becomes of all ranks when one is lost: npm test -- src/distributed/watch.test.ts
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { endOf, type RankEnd } from "../../test/support/process-ranks.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";

const folder = temporaryFolder("llava-watch");
const script = fileURLToPath(new URL("../../test/support/watched-rank-child.ts", import.meta.url));
const RANKS = 3;

/** Ranks of which one is lost while the others wait for it; a frozen one is let go in the end. */
async function lose(loss: string): Promise<RankEnd[]> {
  const shared = join(folder, loss);
  mkdirSync(shared);
  const children = Array.from({ length: RANKS }, (_, rank) =>
    spawn(process.execPath, [script, String(rank), String(RANKS), shared, loss]),
  );
  const ended = children.map(endOf);
  if (loss === "frozen") {
    await Promise.all(ended.slice(0, 2));
    children[2]!.kill("SIGKILL");
  }
  return Promise.all(ended);
}

describe("when a rank is lost all end, and say which", { concurrency: true }, () => {
  const host = String.raw`\(.+, after step 3\)`;
  for (const [loss, cause] of Object.entries({
    killed: `rank 2 ${host} is gone`,
    leaves: `rank 2 ${host} is gone`,
    frozen: `rank 2 ${host} has not been heard of for 3 s`,
    throws: `rank 2 ${host} failed: row 000000033471: the image cannot be decoded`,
    hearsay: `rank 2 ${host} failed: row 000000033471: the image cannot be decoded`,
    first: String.raw`rank 0 \(127.0.0.1\) is gone`,
  }))
    test(loss, async () => {
      const ended = await lose(loss);
      for (const [rank, { code, lastLine }] of ended.entries()) {
        if (loss !== "throws" && loss !== "hearsay" && rank === (loss === "first" ? 0 : 2)) continue;
        assert.notEqual(code, 0);
        assert.match(lastLine, new RegExp(`^llava: rank ${rank}: stopping, since ${cause}$`));
      }
    });

  for (const loss of ["done", "scanned"])
    test(`${loss}: none is lost, and nothing is said`, async () => {
      for (const { code, lastLine } of await lose(loss)) assert.deepEqual([code, lastLine], [0, ""]);
    });
});
