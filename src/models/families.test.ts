import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import {
  createLanguageModel,
  createVisionTower,
  ggufDialect,
  languageModels,
  originalOf,
  PUBLISHED_TOWERS,
  parseTextConfig,
  parseVisionConfig,
  templateOf,
  textTypeOf,
  visionTowers,
} from "./families.ts";

const ENDS = { featureLayers: [-2], selectStrategy: "patch" } as const;

describe("every family", () => {
  for (const family of languageModels)
    for (const [type, { original, template }] of Object.entries(family.types))
      test(`is found by the language model type ${type}`, () => {
        const config = parseTextConfig({ model_type: type }, "config.json");
        assert.equal(config.family, family.name);
        using model = createLanguageModel(config);
        assert.deepEqual(model.config, config);
        assert.equal(originalOf(type, "config.json"), original);
        assert.equal(textTypeOf(original.modelType), type);
        assert.equal(templateOf({ model_type: original.modelType }), template);
        assert.equal(templateOf({ model_type: "llava", text_config: { model_type: type } }), template);
      });

  for (const family of languageModels)
    for (const type of Object.keys(family.types))
      test(`has names of ${type}'s parameters that lead to files' and back`, () => {
        using model = createLanguageModel(parseTextConfig({ model_type: type }, "config.json"));
        const [names, inModule] = [model.layout, model.paths];
        for (const path of model.namedParameters().keys()) {
          const canonical = inModule.read(path)!;
          assert.equal(inModule.write(canonical), path);
          assert.equal(names.read(names.write(canonical)!), canonical);
          if (family.gguf === undefined) continue;
          const inGguf = path.startsWith("lm_head.") ? path : `model.${path}`;
          const { write, read } = family.gguf.dialect.names;
          assert.equal(read(write(inGguf)!), inGguf);
        }
      });

  test("is found by the architecture of its GGUF files, and by no other", () => {
    for (const { gguf } of languageModels)
      for (const architecture of gguf?.architectures ?? [])
        assert.equal(ggufDialect(architecture), gguf?.dialect);
    assert.equal(ggufDialect("mamba"), undefined);
  });

  for (const { name, modelTypes, published } of visionTowers)
    test(`is found by the vision model types ${modelTypes.join(" and ")}`, () => {
      const [tower, whole] = modelTypes;
      const config = parseVisionConfig({ model_type: tower }, "config.json");
      assert.equal(config.family, name);
      assert.deepEqual(parseVisionConfig({ model_type: whole, vision_config: {} }, "config.json"), config);
      using model = createVisionTower(config, ENDS);
      assert.equal(model.hiddenSize, config.hiddenSize);
      for (const [hub, described] of Object.entries(published))
        assert.equal(PUBLISHED_TOWERS[hub], described);
    });
});

/** GGUF names kinds of tokenizers, and all that models see with, by the first models that had them. */
const OTHER_WORDS = /^processing\/tokenizer\/|^models\/gguf-values\.ts$/;

test("a family's names are spelled in its folder alone", () => {
  const source = dirname(import.meta.dirname);
  const families = [
    ...languageModels.map(({ name, types, gguf }) => ({
      name,
      words: [
        ...Object.entries(types).flatMap(([type, { original }]) => [type, ...Object.values(original)]),
        ...(gguf?.architectures ?? []),
      ],
    })),
    ...visionTowers.map(({ name, modelTypes }) => ({ name, words: modelTypes })),
  ];
  const files = globSync("**/*.ts", { cwd: source }).filter(
    (file) => !/\.test\.ts$/.test(file) && !OTHER_WORDS.test(file),
  );
  assert.ok(files.length > 400);
  const spelled = families.flatMap(({ name, words }) => {
    // As a whole string or key, or before the dot of a longer one ("llama.block_count").
    const word = new RegExp(`["'\`](?:${[name, ...words].join("|")})["'\`.]`);
    return files
      .filter((file) => !file.startsWith(join("models", name, "/")))
      .filter((file) => word.test(readFileSync(join(source, file), "utf8")));
  });
  assert.deepEqual(spelled, []);
});
