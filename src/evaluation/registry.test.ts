import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LlavaError } from "../errors.ts";
import { findBenchmark, listBenchmarks } from "./registry.ts";

describe("the registry of benchmarks", () => {
  test("names are unique, sorted and found; published scores name a source", async () => {
    const all = await listBenchmarks();
    const names = all.map(({ name }) => name);
    assert.deepEqual(names, [...new Set(names)].sort());
    for (const name of ["pope", "vqav2", "llava-w"]) assert.equal((await findBenchmark(name)).name, name);
    for (const { name, published, splits } of all) {
      assert.ok(splits.length > 0, `${name} has no split`);
      assert.ok(
        published.every(({ source, value }) => source !== "" && value > 0),
        name,
      );
    }
  });

  test("an unknown name is refused with the nearest and all known ones", async () => {
    for (const [typed, meant] of Object.entries({
      "vqa-v2": "vqav2",
      mmvet: "mm-vet",
      "MMBench-EN": "mmbench",
    }))
      await assert.rejects(findBenchmark(typed), (error) => {
        assert.ok(error instanceof LlavaError && error.code === "usage");
        assert.equal(error.message, `there is no benchmark "${typed}"`);
        assert.match(error.hint ?? "", new RegExp(`^Did you mean ${meant}\\? Known: .*pope, `));
        return true;
      });
    await assert.rejects(findBenchmark("../registry"), LlavaError);
  });
});
