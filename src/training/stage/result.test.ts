// What a run leaves behind, loaded as anybody would: npm test -- src/training/stage
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { before, describe, test } from "node:test";
import { assertClose, largestDifference } from "../../../test/support/close.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { fixtures, rowsRecipe, stages } from "../../../test/support/training-rows.ts";
import { openCheckpoint, openSafetensors, openWeights, writeSafetensors } from "../../checkpoint/index.ts";
import type { Llava } from "../../models/index.ts";
import { loadPretrained } from "../../pretrained/index.ts";
import { namedTemplate, promptText } from "../../processing/conversation/index.ts";
import type { Message } from "../../protocol/index.ts";
import { silentProgress } from "../../setup/index.ts";
import { inference, type Tensor } from "../../torch/index.ts";
import type { RecipeFields } from "../recipe/recipe.ts";
import { runRecipe } from "../run.ts";
import { latestCheckpoint } from "../run-state.ts";
import { prepareStage } from "./stage.ts";

const folder = temporaryFolder("llava-result");
const quiet = { progress: silentProgress, report: () => {} };
const original = join(fixtures, "llava/original");
const languageModel = join(folder, "language-model");
const tower = join(original, "clip-vit-tiny-patch14-28");

/** The language model of the original checkpoint, alone. */
before(() => {
  cpSync(original, languageModel, {
    recursive: true,
    filter: (path) => !/pytorch_model|clip-vit/.test(path),
  });
  using all = openCheckpoint(original);
  const own = [...all.names()].filter((name) => !/projector|tower/.test(name));
  writeSafetensors(
    join(languageModel, "model.safetensors"),
    new Map(own.map((name) => [name, all.read(name)])),
  );
  const config = JSON.parse(readFileSync(join(original, "config.json"), "utf8")) as Record<string, unknown>;
  const plain = Object.entries(config).filter(([name]) => !/mm_|image_/.test(name));
  writeFileSync(
    join(languageModel, "config.json"),
    JSON.stringify({
      ...Object.fromEntries(plain),
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
    }),
  );
});

async function run(name: string, fields: Partial<RecipeFields>): Promise<string> {
  const recipe = rowsRecipe(join(folder, name), { maxSteps: 3, ...fields });
  const { result } = await runRecipe(recipe, quiet);
  assert.ok(result);
  return result;
}

function logitsOf(model: Llava): Tensor {
  using inputs = openSafetensors(join(fixtures, "llava/llama/reference.safetensors"));
  const ids = inputs.read("input_ids").to("int64");
  const known = ids.eq(276); // the image token of that checkpoint
  return inference(() =>
    model.forward(ids.maskedFill(known, model.imageTokenId), inputs.read("pixel_values")),
  );
}

/** Loads a folder and compares all that was trained with the run's last checkpoint, and the rest with the base. */
async function assertHolds(path: string, name: string, base: string): Promise<void> {
  using loaded = await loadPretrained({ kind: "folder", path });
  using before = await loadPretrained({ kind: "folder", path: base });
  const { weights } = latestCheckpoint(join(folder, name, "checkpoints"))!;
  const start = before.model.namedParameters();
  for (const [key, tensor] of loaded.model.namedParameters()) {
    const canonical = key.replace(/^(?!language_model\.lm_head)/, "model.");
    const trained = weights.get(canonical) ?? weights.get(`model.${key}`);
    assertClose(tensor, trained ?? start.get(key)!, 0, key);
  }
  assert.ok(largestDifference(logitsOf(loaded.model), logitsOf(before.model)) > 0.01);
}

describe("a model that was trained whole is a checkpoint", () => {
  test("in Hugging Face's layout where it came in that, with the tower's unused layers", async () => {
    const path = await run("huggingface", stages["full"]!);
    assert.equal(path, join(folder, "huggingface", "model"));
    await assertHolds(path, "huggingface", join(fixtures, "llava/llama"));
    using written = openCheckpoint(path);
    using base = openCheckpoint(join(fixtures, "llava/llama"));
    assert.deepEqual([...written.names()].sort(), [...base.names()].sort());
    // transformers takes no 1 where a number with a fraction belongs.
    const config = readFileSync(join(path, "config.json"), "utf8");
    assert.match(config, /"initializer_factor": 1\.0,/);
  });

  test("in the original layout where it came in that; it needs no other files any more", async () => {
    const path = await run("original", { ...stages["full"], model: original });
    const elsewhere = join(folder, "elsewhere");
    renameSync(path, elsewhere);
    await assertHolds(elsewhere, "original", original);
    const config = JSON.parse(readFileSync(join(elsewhere, "config.json"), "utf8"));
    assert.deepEqual(
      [config.model_type, config.unfreeze_mm_vision_tower, config.mm_vision_tower],
      ["llava_llama", true, "vision_tower"],
    );
    using written = openSafetensors(join(elsewhere, "model.safetensors"));
    for (const name of ["model.mm_projector.2.bias", "model.layers.1.mlp.up_proj.weight", "lm_head.weight"])
      assert.ok(written.has(name), name);
  });

  test("learns from its weights as they were stored, whatever the type that is computed in", async () => {
    const recipe = rowsRecipe(join(folder, "unused"), { ...stages["full"], dtype: "bfloat16" });
    using stage = await prepareStage(recipe, quiet);
    using stored = openCheckpoint(recipe.model);
    for (const { parameters } of stage.groups)
      for (const [name, weight] of parameters) {
        const canonical = name.replace("model.language_model.lm_head", "lm_head");
        assertClose(weight, stored.read(canonical), 0, name);
      }
    assert.equal(stage.pretrained.model.visionTower.parameters()[0]!.dtype, "bfloat16");
    assert.equal(stage.pretrained.model.computeDtype, "bfloat16");
  });

  test("that keeps how it saw transparent pixels", async () => {
    const { data } = rowsRecipe("unused");
    const fields = { ...stages["full"], maxSteps: 1, data: { ...data, transparency: "white" as const } };
    const path = await run("white", fields);
    using loaded = await loadPretrained({ kind: "folder", path });
    assert.equal(loaded.processor.imageConfig.transparency, "white");
    const config = join(path, "config.json");
    writeFileSync(config, readFileSync(config, "utf8").replace('"white"', '"grey"'));
    await assert.rejects(loadPretrained({ kind: "folder", path }), {
      code: "config",
      message: `${config}: image_transparency is "grey"`,
    });
    const lines: string[] = [];
    const report = (line: string) => void lines.push(line);
    const recipe = rowsRecipe(join(folder, "unused"), { ...fields, ...stages["projector"] });
    using _ = await prepareStage(recipe, { ...quiet, report });
    assert.match(lines.join("\n"), /data\.transparency is "white", which the result does not keep/);
  });

  test("in the type that the recipe computes in", async () => {
    const path = await run("narrow", { ...stages["full"], dtype: "bfloat16" });
    using written = openCheckpoint(path);
    for (const name of written.names()) assert.equal(written.info(name).dtype, "bfloat16", name);
  });
});

describe("a language model and a tower become a LLaVA", () => {
  const vision = { tower, projector: "mlp2x_gelu", imageAspectRatio: "pad" } as const;
  const parts = { model: languageModel, vision };
  let projector: string;

  before(async () => {
    projector = await run("stage-1", { ...parts, ...stages["projector"], projector: "fresh" });
  });

  test("projector first, then whole", async () => {
    assert.equal(projector, join(folder, "stage-1", "projector.safetensors"));
    const path = await run("stage-2", { ...parts, ...stages["full"], projector, maxSteps: 1 });
    await assertHolds(path, "stage-2", original);
    using first = openSafetensors(projector);
    using second = openCheckpoint(path);
    const weight = "model.multi_modal_projector.linear_1.weight";
    const moved = largestDifference(first.read(weight), second.read(weight));
    assert.ok(moved <= 2 * 2e-3, "stage 2 starts from stage 1's projector");
  });

  test("projector first, then by adapters, which load on the language model", async () => {
    const path = await run("adapters", { ...parts, ...stages["lora"], projector });
    assert.ok(existsSync(join(path, "config.json")));
    using loaded = await loadPretrained({ kind: "folder", path });
    using first = openSafetensors(projector);
    const start = first.read("model.multi_modal_projector.linear_1.weight");
    const { weights } = latestCheckpoint(join(folder, "adapters", "checkpoints"))!;
    const trained = weights.get("model.multi_modal_projector.linear_1.weight")!;
    const actual = loaded.model.namedParameters().get("multi_modal_projector.linear_1.weight")!;
    assertClose(actual, trained, 0, "projector");
    assert.ok(largestDifference(actual, start) > 1e-4);
  });

  test("projector first, and can be asked at once, by its recipe or with its base", async () => {
    const asked = join(folder, "stage-1");
    using trained = openSafetensors(projector);
    for (const options of [{}, { base: languageModel }, { visionTower: tower }]) {
      using loaded = await loadPretrained({ kind: "folder", path: asked }, options);
      const parameters = loaded.model.namedParameters();
      for (const name of trained.names())
        assertClose(parameters.get(name.replace(/^model\./, ""))!, trained.read(name), 0, name);
      using whole = await loadPretrained({ kind: "folder", path: original });
      for (const [name, weight] of whole.model.namedParameters())
        if (!name.startsWith("multi_modal_projector.")) assertClose(parameters.get(name)!, weight, 0, name);
    }
    const moved = join(folder, "stage-1-moved");
    cpSync(asked, moved, { recursive: true });
    const recipe = JSON.parse(readFileSync(join(moved, "recipe.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(join(moved, "recipe.json"), JSON.stringify({ ...recipe, model: "/nowhere/vicuna" }));
    await assert.rejects(loadPretrained({ kind: "folder", path: moved }), {
      message: /holds what was trained of \/nowhere\/vicuna/,
      hint: /--base/,
    });
    using found = await loadPretrained({ kind: "folder", path: moved }, { base: languageModel });
    assert.ok(found.model);
  });

  test("but not with a projector that it cannot have", async () => {
    await assert.rejects(run("loaded", { ...parts, projector: "loaded" }), /has no projector to be loaded/);
  });
});

describe("what decides the prompt goes with the weights", () => {
  const asked: Message[] = [
    {
      role: "user",
      content: [
        { type: "image", image: "a.png" },
        { type: "text", text: "What?" },
      ],
    },
    { role: "assistant", content: "A dog." },
    { role: "user", content: "Sure?" },
  ];
  const once = (fields: Partial<RecipeFields>, data: Partial<RecipeFields["data"]>) => ({
    ...fields,
    maxSteps: 1,
    data: { ...rowsRecipe(folder).data, ...data } as RecipeFields["data"],
  });
  /** Prompt of a conversation and the ids that end its answer, as the folder says by itself. */
  async function promptOf(path: string) {
    using loaded = await loadPretrained({ kind: "folder", path });
    const { promptFormat, stopIds } = loaded.processor;
    return { text: promptText(promptFormat.render(asked)), stop: promptFormat.stop, stopIds, promptFormat };
  }
  const textIn = (name: string, answerEnd?: string) =>
    promptText(namedTemplate(name, answerEnd).render(asked));

  test("in Hugging Face's layout, system prompt and all", async () => {
    const path = await run("prompt-huggingface", once(stages["full"]!, { template: "vicuna_v1" }));
    const { text, stopIds } = await promptOf(path);
    assert.equal(text, textIn("vicuna_v1"));
    assert.match(text, /^A chat between a curious user/);
    assert.deepEqual(stopIds, [2]);
  });

  test("in the original layout", async () => {
    const path = await run(
      "prompt-original",
      once({ ...stages["full"], model: original }, { template: "v0" }),
    );
    const { text, stop } = await promptOf(path);
    assert.equal(text, textIn("v0"));
    assert.deepEqual(stop, ["###"]);
  });

  test("with an answer end of one's own, in adapters that load on their base or bring a configuration", async () => {
    const data = { template: "plain", answerEnd: "</s>" };
    const path = await run("prompt-adapters", once(stages["lora"]!, data));
    assert.equal((await promptOf(path)).text, textIn("plain", "</s>"));
    const vision = { tower, projector: "mlp2x_gelu", imageAspectRatio: "pad" } as const;
    const parts = { model: languageModel, vision, projector: "fresh" as const };
    const own = await run("prompt-assembled", once({ ...stages["lora"], ...parts }, { template: "llama_2" }));
    assert.equal((await promptOf(own)).text, textIn("llama_2"));
  });

  test("beside a projector", async () => {
    const data = { template: "plain", answerEnd: "</s>" };
    const path = await run("prompt-projector", once(stages["projector"]!, data));
    const jinja = readFileSync(join(dirname(path), "chat_template.jinja"), "utf8");
    assert.match(jinja, /Conversation template plain of LLaVA, answers ended by "<\/s>"/);
  });

  test("and the model's own chat template, with the end that training put behind answers", async () => {
    const endless = readFileSync(join(fixtures, "llava/llama/chat_template.jinja"), "utf8");
    const { template: _, ...data } = rowsRecipe(folder).data;
    const reports: string[] = [];
    const recipe = rowsRecipe(join(folder, "prompt-own"), { ...stages["full"], maxSteps: 1, data });
    const { result } = await runRecipe(recipe, { ...quiet, report: (line) => reports.push(line) });
    const stated = reports.find((line) => /ends answers with nothing/.test(line));
    assert.match(stated ?? "", /training puts "<\/s>" behind each/, endless);
    const { text, promptFormat } = await promptOf(result!);
    assert.match(text, /A dog\.<\/s>.*Sure\?/s);
    const trained = promptFormat.render([...asked, { role: "assistant", content: "Yes." }], {
      addGenerationPrompt: false,
    });
    assert.ok(promptText(trained).startsWith(text));
    assert.match(promptText(trained.filter((piece) => "text" in piece && piece.supervised)), /Yes\.<\/s>$/);
  });
});

describe("a run's folder", () => {
  test("stands for the model or adapter in it, and for a projector in the model that it names", async () => {
    for (const stage of ["full", "lora", "projector"]) {
      const path = await run(`asked-${stage}`, stages[stage]!);
      using asked = await loadPretrained({ kind: "folder", path: join(folder, `asked-${stage}`) });
      if (stage === "projector") {
        using trained = openSafetensors(path);
        const name = "multi_modal_projector.linear_1.weight";
        const actual = asked.model.namedParameters().get(name)!;
        assertClose(actual, trained.read(`model.${name}`), 0, name);
        continue;
      }
      using inside = await loadPretrained({ kind: "folder", path });
      assertClose(logitsOf(asked.model), logitsOf(inside.model), 0, stage);
    }
    const further = await run("further", {
      ...stages["full"],
      model: join(folder, "asked-full"),
      maxSteps: 1,
    });
    assert.ok(existsSync(join(further, "config.json")));
    await assert.rejects(run("part", { model: join(folder, "asked-projector") }), {
      message: /is a run that trained a part of/,
      hint: /--projector .*projector\.safetensors/,
    });
  });

  test("holds a result that tells nothing of where it was made", async () => {
    for (const stage of ["full", "lora", "projector"]) {
      const path = await run(`placed-${stage}`, { ...stages[stage]!, maxSteps: 1 });
      const files = stage === "projector" ? [path] : readdirSync(path).map((name) => join(path, name));
      for (const file of files)
        for (const place of [folder, fixtures])
          assert.equal(readFileSync(file).includes(place), false, `${file} names ${place}`);
    }
  });

  test("without a result says so", async () => {
    const path = join(folder, "unfinished");
    mkdirSync(path);
    writeFileSync(join(path, "recipe.json"), "{}");
    await assert.rejects(loadPretrained({ kind: "folder", path }), {
      message: /is a training run without a result/,
      hint: /--resume/,
    });
  });
});

/** The original checkpoint with another name for its tower, and the tower's folder elsewhere. */
function withTower(name: string, towerName: string, place: string, more: object = {}): string {
  const path = join(folder, name);
  cpSync(original, path, { recursive: true });
  renameSync(join(path, "clip-vit-tiny-patch14-28"), join(path, place));
  const config = JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as object;
  writeFileSync(
    join(path, "config.json"),
    JSON.stringify({ ...config, mm_vision_tower: towerName, ...more }),
  );
  return path;
}

describe("a vision tower", () => {
  test("is found beside the checkpoint under the last part of any path, or as it is given", async () => {
    using expected = await loadPretrained({ kind: "folder", path: original });
    for (const [at, [name, place]] of [
      ["/home/somebody/models/clip-tiny", "clip-tiny"],
      ["./checkpoints/clip-tiny/", "clip-tiny"],
      ["D:\\models\\clip-tiny", "clip-tiny"],
      ["~/clip-tiny", "clip-tiny"],
      ["openai/clip-vit-large-patch14-336", "clip-vit-large-patch14-336"],
      ["../../clip-tiny", "../clip-tiny"],
    ].entries()) {
      using loaded = await loadPretrained({ kind: "folder", path: withTower(`moved-${at}`, name!, place!) });
      assertClose(logitsOf(loaded.model), logitsOf(expected.model), 0, name!);
    }
    const path = withTower("given", "/home/somebody/clip-other", "elsewhere");
    await assert.rejects(loadPretrained({ kind: "folder", path }), {
      message: /mm_vision_tower \/home\/somebody\/clip-other is no folder here/,
      hint: /as clip-other, or name it \(--vision-tower\)/,
    });
    const visionTower = join(path, "elsewhere");
    using loaded = await loadPretrained({ kind: "folder", path }, { visionTower });
    assertClose(logitsOf(loaded.model), logitsOf(expected.model), 0, "given");
    const trained = await run("given-run", { ...stages["full"], model: path, visionTower, maxSteps: 1 });
    using again = await loadPretrained({ kind: "folder", path: trained });
    assert.ok(again.model);
  });

  test("that learns with the checkpoint is in the result, with its shape and its images'", async () => {
    for (const unfreeze_mm_vision_tower of [false, true]) {
      const name = `tower-${unfreeze_mm_vision_tower}`;
      const base = withTower(name, "clip-tiny", "clip-tiny", { unfreeze_mm_vision_tower });
      // A tower in the checkpoint's own files is stored there.
      if (unfreeze_mm_vision_tower) {
        using all = openCheckpoint(original);
        using eyes = openCheckpoint(tower);
        const names = [...all.names()].filter((stored) => !/vision_tower/.test(stored));
        const tensors = [
          ...names.map((stored) => [stored, all] as const),
          ...[...eyes.names()].map((stored) => [stored, eyes] as const),
        ];
        writeSafetensors(
          join(base, "model.safetensors"),
          new Map(tensors.map(([stored, source]) => [stored, source.read(stored)])),
        );
      }
      const path = await run(`${name}-run`, { ...stages["all"], model: base });
      const elsewhere = join(folder, `${name}-elsewhere`);
      renameSync(path, elsewhere);
      rmSync(base, { recursive: true });
      assert.ok(existsSync(join(elsewhere, "vision_tower", "preprocessor_config.json")));
      using loaded = await loadPretrained({ kind: "folder", path: elsewhere });
      const { weights } = latestCheckpoint(join(folder, `${name}-run`, "checkpoints"))!;
      const weight = "vision_tower.encoder.layers.0.mlp.fc1.weight";
      assertClose(loaded.model.namedParameters().get(weight)!, weights.get(`model.${weight}`)!, 0, weight);
    }
  });

  test("is not given to what has its own", async () => {
    const path = join(fixtures, "llava/llama");
    await assert.rejects(loadPretrained({ kind: "folder", path }, { visionTower: tower }), {
      code: "usage",
      message: /has its vision tower in its own files/,
    });
  });
});

describe("the original code's projectors", () => {
  const files = (source = join(fixtures, "lora/original/non_lora_trainables.bin")) => {
    using stored = openWeights(source);
    const tensors = [...stored.names()].map((name): [string, Tensor] => [
      name.replace(/^.*mm_projector\./, ""),
      stored.read(name).clone(),
    ]);
    return { source, tensors };
  };

  test("are started from, in any container and under any prefix", async () => {
    const { source, tensors } = files();
    const paths = [source];
    const told: string[] = [];
    for (const prefix of [
      "model.mm_projector.",
      "mm_projector.",
      "base_model.model.model.mm_projector.",
      "module.model.mm_projector.",
      "",
    ])
      for (const name of ["mm_projector.bin", "projector.safetensors", "weights"]) {
        const path = join(folder, `projector-${paths.length}`);
        mkdirSync(path);
        const embedding = [["model.embed_tokens.weight", tensors[0]![1]]] as [string, Tensor][];
        const others = prefix === "" ? [] : embedding;
        writeSafetensors(
          join(path, name),
          new Map([...tensors.map(([key, tensor]): [string, Tensor] => [prefix + key, tensor]), ...others]),
        );
        paths.push(name === "weights" ? join(path, name) : path);
      }
    for (const projector of paths) {
      const recipe = rowsRecipe(join(folder, "unused-projector"), {
        ...stages["projector"],
        model: original,
        projector,
      });
      using stage = await prepareStage(recipe, { ...quiet, report: (line) => told.push(line) });
      for (const [key, tensor] of tensors) {
        const [layer, kind] = key.split(".");
        const name = `linear_${Number(layer) / 2 + 1}.${kind}`;
        assertClose(stage.pretrained.model.projector.namedParameters().get(name)!, tensor, 0, projector);
      }
    }
    const others = told.filter((line) => /only its projector is used; it holds 1 other tensors/.test(line));
    assert.equal(others.length, 12, "the files with an embedding beside");
  });

  test("that are none, or of another model, are refused", async () => {
    const start = (projector: string) =>
      prepareStage(rowsRecipe(join(folder, "unused-none"), { ...stages["projector"], projector }), quiet);
    await assert.rejects(start(join(tower, "pytorch_model.bin")), {
      message: /holds no projector; it begins with/,
    });
    const { tensors } = files();
    const path = join(folder, "half.safetensors");
    writeSafetensors(path, new Map([[`mm_projector.${tensors[0]![0]}`, tensors[0]![1]]]));
    await assert.rejects(start(path), {
      code: "checkpoint",
      message: /half\.safetensors does not fit the model: 3 missing/,
    });
  });

  test("in a folder with a configuration are asked, and trained on, with their base", async () => {
    const { tensors } = files();
    const path = join(folder, "first-stage");
    mkdirSync(path);
    for (const name of ["config.json", "clip-vit-tiny-patch14-28"])
      cpSync(join(original, name), join(path, name), { recursive: true });
    writeSafetensors(
      join(path, "mm_projector.bin"),
      new Map(tensors.map(([key, tensor]) => [`model.mm_projector.${key}`, tensor])),
    );
    await assert.rejects(loadPretrained({ kind: "folder", path }), {
      message: /first-stage holds a projector, and not the language model around it/,
      hint: /--base/,
    });
    using loaded = await loadPretrained({ kind: "folder", path }, { base: languageModel });
    using whole = await loadPretrained({ kind: "folder", path: original });
    whole.model.projector.setParameter(
      "linear_1.weight",
      tensors.find(([key]) => key === "0.weight")![1].clone(),
    );
    whole.model.projector.setParameter(
      "linear_1.bias",
      tensors.find(([key]) => key === "0.bias")![1].clone(),
    );
    whole.model.projector.setParameter(
      "linear_2.weight",
      tensors.find(([key]) => key === "2.weight")![1].clone(),
    );
    whole.model.projector.setParameter(
      "linear_2.bias",
      tensors.find(([key]) => key === "2.bias")![1].clone(),
    );
    assertClose(logitsOf(loaded.model), logitsOf(whole.model), 0, "logits");
    const trained = await run("first-stage-run", {
      ...stages["full"],
      model: path,
      base: languageModel,
      maxSteps: 1,
    });
    using again = await loadPretrained({ kind: "folder", path: trained });
    assert.ok(again.model);
  });

  test("a base where none is needed is an error", async () => {
    await assert.rejects(loadPretrained({ kind: "folder", path: original }, { base: languageModel }), {
      code: "usage",
      message: /is a whole model, which needs no base/,
    });
    await assert.rejects(run("needless", { model: original, base: languageModel }), { code: "usage" });
  });
});
