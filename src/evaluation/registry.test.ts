import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LlavaError } from "../errors.ts";
import { findBenchmark, listBenchmarks, nearest } from "./registry.ts";

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
    const isHelpful = (error: unknown): boolean =>
      error instanceof LlavaError &&
      error.code === "usage" &&
      error.message === 'there is no benchmark "vqa-v2"' &&
      /^Did you mean vqav2\? Known: .*pope, /.test(error.hint ?? "");
    await assert.rejects(findBenchmark("vqa-v2"), isHelpful);
    await assert.rejects(findBenchmark("../registry"), LlavaError);
  });

  test("the nearest name shares most pairs of letters", () => {
    const names = ["mmbench", "mme", "mm-vet", "mmmu"];
    assert.equal(nearest("mmvet", names), "mm-vet");
    assert.equal(nearest("MMBench-EN", names), "mmbench");
    assert.equal(nearest("xyz", names), undefined);
  });
});
