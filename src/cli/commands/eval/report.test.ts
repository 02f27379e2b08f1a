import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { parseHTML } from "linkedom";
import { llava } from "../../../../test/support/cli.ts";
import { madeUpSources } from "../../../../test/support/report-sources.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { writeResult } from "../../../evaluation/index.ts";

describe("llava eval report", () => {
  const folder = temporaryFolder("llava-report");
  const paths: string[] = [];

  before(async () => {
    for (const [index, { result, outcomes }] of (await madeUpSources()).slice(0, 2).entries()) {
      paths.push(join(folder, `${index}.json`));
      await writeResult(paths[index]!, result, outcomes());
    }
  });

  test("writes a page from result files, with the benchmark's published scores if it is known", async () => {
    const out = join(folder, "pages", "report.html");
    const { status, stderr } = await llava(["eval", "report", ...paths, "--out", out, "--examples", "2"]);
    assert.equal(status, 0, stderr);
    const { document } = parseHTML(await readFile(out, "utf8"));
    assert.equal(document.querySelectorAll("#overview ~ .wide tbody tr").length, 2);
    // Two worst of each model, two gained and two lost; a question's image may not be there.
    assert.equal(document.querySelectorAll(".card").length, 8);
    assert.equal(document.querySelectorAll(".card img, .card .absent").length, 8);
  });

  test("names the file that is no result, and the outcomes that are not there", async () => {
    const wrong = join(folder, "wrong.json");
    await writeFile(wrong, "{}");
    const refused = await llava(["eval", "report", wrong, "--out", join(folder, "a.html")]);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /wrong\.json: is no result/);
    await rm(join(folder, "0.outcomes.jsonl"));
    const lacking = await llava(["eval", "report", paths[0]!, "--out", join(folder, "a.html")]);
    assert.notEqual(lacking.status, 0);
    assert.match(lacking.stderr, /0\.outcomes\.jsonl: cannot be read/);
  });
});
