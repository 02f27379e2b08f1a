import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseGguf } from "./gguf-choice.ts";

describe("chooseGguf", () => {
  const many = [
    "m-7b.Q4_K.gguf",
    "m-7b.Q4_K_M.gguf",
    "m-7b-f16-00001-of-00002.gguf",
    "m-7b-f16-00002-of-00002.gguf",
    "mmproj-m-7b-f16.gguf",
    "mmproj-m-7b-Q8_0.gguf",
    "README.md",
    "deeper/m-7b.Q2_K.gguf",
  ];
  const eye = "mmproj-m-7b-f16.gguf";

  test("takes the only model, with its eye", () => {
    assert.deepEqual(chooseGguf(["a.gguf"]), { files: ["a.gguf"], choices: [] });
    assert.deepEqual(chooseGguf(["a.gguf", eye]).files, ["a.gguf", eye]);
    assert.deepEqual(chooseGguf(["README.md"]), { files: [], choices: [] });
  });

  test("names the choices where there are several", () => {
    const choices = ["m-7b.Q4_K.gguf", "m-7b.Q4_K_M.gguf", "m-7b-f16.gguf"];
    assert.deepEqual(chooseGguf(many), { files: [], choices });
    assert.deepEqual(chooseGguf(many, "Q3_K"), { files: [], choices });
    assert.deepEqual(chooseGguf(many, "7b").choices, choices);
  });

  test("finds one by its name or a whole part of it, in all its parts", () => {
    for (const [wanted, file] of [
      ["Q4_K", "m-7b.Q4_K.gguf"],
      ["q4_k_m", "m-7b.Q4_K_M.gguf"],
      ["m-7b.Q4_K_M", "m-7b.Q4_K_M.gguf"],
      ["m-7b.Q4_K_M.gguf", "m-7b.Q4_K_M.gguf"],
    ] as const)
      assert.deepEqual(chooseGguf(many, wanted), { files: [file, eye], choices: [] });
    for (const wanted of ["f16", "m-7b-f16", "m-7b-f16.gguf", "m-7b-f16-00002-of-00002.gguf"])
      assert.deepEqual(chooseGguf(many, wanted).files, [many[2], many[3], eye]);
    assert.deepEqual(chooseGguf(many, eye).files, [eye]);
  });

  test("takes the eye of the model's own type before others", () => {
    assert.deepEqual(chooseGguf([...many, "m-7b.Q8_0.gguf"], "Q8_0").files, [
      "m-7b.Q8_0.gguf",
      "mmproj-m-7b-Q8_0.gguf",
    ]);
  });
});
