// llava convert to GGUF files and from them, and what is done with a pair of them: npm test -- test/cli/gguf.test.ts
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  openCheckpoint,
  openGguf,
  openSafetensors,
  readGgufHeader,
  writeSafetensors,
} from "../../src/checkpoint/index.ts";
import { LocalModel, traceStages } from "../../src/generation/index.ts";
import { loadPretrained } from "../../src/pretrained/index.ts";
import { resolveModel } from "../../src/setup/index.ts";
import { inference, quantize } from "../../src/torch/index.ts";
import { llava, llavaHere } from "../support/cli.ts";
import { editGguf } from "../support/edit-gguf.ts";
import { writeRandomCheckpoint } from "../support/random-checkpoint.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const folder = temporaryFolder("llava-gguf-cli");
mock.method(console, "log", () => {}); // of commands that run in this process
let made = 0;

const ends = (path: string, start: string) =>
  join(
    path,
    readdirSync(path).find(
      (name) => name.endsWith(".gguf") && name.startsWith("mmproj") === (start === "mmproj"),
    )!,
  );
const eyeOf = (path: string) => ends(path, "mmproj");
const textOf = (path: string) => ends(path, "text");

async function converted(source: string, to: string, ...options: string[]): Promise<string> {
  const output = join(folder, `made-${made++}`);
  const { status, stderr } = await llavaHere([
    "-q",
    "convert",
    source,
    "--to",
    to,
    "--output",
    output,
    ...options,
  ]);
  assert.equal(status, 0, stderr);
  return output;
}

/** Ids of a conversation and of a text, and scores about an image. */
async function behaviour(source: string, image: string) {
  using pretrained = await loadPretrained(await resolveModel(source, { offline: true }));
  const { processor, model } = pretrained;
  const local = new LocalModel(pretrained, { id: "model" });
  const raw = { raw: "USER: <image>\nWhat is it? ASSISTANT:", images: [image] };
  using inputs = await local.prepare(raw);
  const logits = inference(() => traceStages(model, inputs).get("logits")!);
  const [, positions = 0, words = 0] = logits.shape;
  return {
    ids: inputs.inputIds.map((id) => (id === model.imageTokenId ? -200 : id)),
    stops: [...processor.stopIds].sort(),
    template: processor.chatTemplate,
    contextLength: processor.contextLength,
    logits: logits.toNumbers(),
    positions,
    words,
  };
}

/** Bytes and types of all tensors in a checkpoint, as they are stored. */
function stored(path: string) {
  using source = openCheckpoint(path);
  return new Map(
    Array.from(source.names(), (name) => {
      const tensor = source.read(name);
      return [name, [tensor.dtype, tensor.shape, Buffer.from(tensor.toBytes()).toString("base64")]] as const;
    }),
  );
}

const readJson = (...path: string[]) => JSON.parse(readFileSync(join(...path), "utf8"));
const imageOf = (name: string) => join(fixtures, name.split("/")[0]!, "images", "wide.png");

const models = [
  ...["llama", "qwen2", "original", "legacy-4x", "multi-layer"].map((name) => `llava/${name}`),
  ...["llama", "llama3", "mistral", "original", "qwen2"].map((name) => `llava-next/${name}`),
  ...["interleave", "onevision", "onevision-original", "qwen3", "siglip-original"].map(
    (name) => `families/${name}`,
  ),
];

function differencesOf(a: { logits: number[] }, b: { logits: number[] }): number {
  assert.equal(a.logits.length, b.logits.length);
  return a.logits.reduce((most, value, i) => Math.max(most, Math.abs(value - b.logits[i]!)), 0);
}

for (const name of models)
  describe(name, () => {
    const source = join(fixtures, name);
    const home = name.endsWith("original") ? "original" : "hf";

    test("as GGUF files is the same model: ids, scores, template, and where answers end", async () => {
      const pair = await converted(source, "gguf");
      const [own, read] = [await behaviour(source, imageOf(name)), await behaviour(pair, imageOf(name))];
      const { logits: _, ...same } = own;
      const { logits: __, ...other } = read;
      assert.deepEqual(other, same);
      assert.equal(differencesOf(own, read), 0);
      assert.equal(readdirSync(pair).length, 2);
    });

    test("there and back every tensor is the same, and what config.json says", async () => {
      const back = await converted(await converted(source, "gguf"), home);
      const [before, after] = [stored(source), stored(back)];
      for (const tensor of before.keys())
        if (/inv_freq|position_ids|^logit_scale|projection\.weight$|^text_model/.test(tensor))
          before.delete(tensor);
      // A published original has its tower in a folder beside it.
      const inside = [...before.keys()].some((tensor) => tensor.startsWith("model.vision_tower."));
      if (!inside)
        for (const tensor of after.keys()) if (tensor.startsWith("model.vision_tower.")) after.delete(tensor);
      assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort());
      assert.deepEqual(after, before);
      const [was, is] = [readJson(source, "config.json"), readJson(back, "config.json")];
      for (const field of [
        ...["model_type", "image_grid_pinpoints", "image_token_index", "projector_hidden_act", "vocab_size"],
        ...["mm_projector_type", "mm_vision_select_layer", "mm_vision_select_feature", "image_aspect_ratio"],
        ...["mm_patch_merge_type", "vision_feature_layer", "vision_feature_select_strategy"],
      ])
        if (field in was && field in is) assert.deepEqual(is[field], was[field], field);
      const { rope_parameters, ...text } = was.text_config ?? was;
      for (const [field, value] of Object.entries(rope_parameters ? { ...text, rope_parameters } : text))
        if (is.text_config && !/^(?:_|architectures|dtype|torch_dtype|transformers_version|tie_)/.test(field))
          assert.deepEqual(is.text_config[field], value, field);
      assert.equal(
        differencesOf(await behaviour(source, imageOf(name)), await behaviour(back, imageOf(name))),
        0,
      );
      assert.deepEqual(readJson(back, "tokenizer.json"), readJson(source, "tokenizer.json"));
    });

    test("is understood without this project's own words, as other converters write it", async () => {
      const pair = await converted(source, "gguf");
      editGguf(textOf(pair), (metadata) => {
        metadata.delete("llava.text_config");
        metadata.delete("tokenizer.huggingface.json");
      });
      editGguf(eyeOf(pair), (metadata) => {
        metadata.delete("llava.image_processor");
      });
      const [own, read] = [await behaviour(source, imageOf(name)), await behaviour(pair, imageOf(name))];
      assert.deepEqual(read.ids, own.ids);
      assert.ok(differencesOf(own, read) < 2e-5, `${differencesOf(own, read)}`);
      if (name === "llava-next/llama3") return; // its factors are of no published model
      const back = await converted(pair, home);
      assert.ok(differencesOf(own, await behaviour(back, imageOf(name))) < 2e-5);
    });
  });

for (const [kind, sharpness] of [
  ["by its factor", {}],
  ["as stated", { attention_factor: 1.5 }],
] as [string, { attention_factor?: number }][])
  test(`YaRN, sharpened ${kind}, is said in the format's words`, async () => {
    const rope_scaling = {
      ...{ rope_type: "yarn", factor: 3, original_max_position_embeddings: 64, beta_fast: 20, beta_slow: 2 },
      ...sharpness,
    };
    const source = writeRandomCheckpoint(join(folder, `yarn-${made++}`), 7, {
      text: { rope_theta: 10_000, rope_scaling, max_position_embeddings: 192 },
    });
    const pair = await converted(source, "gguf");
    editGguf(textOf(pair), (metadata) => void metadata.delete("llava.text_config"));
    const image = imageOf("llava/llama");
    const [own, read] = [await behaviour(source, image), await behaviour(pair, image)];
    assert.ok(differencesOf(own, read) < 2e-5, `${differencesOf(own, read)}`);
    assert.equal(read.contextLength, 192);
    const back = await converted(pair, "hf");
    const { attention_factor, ...fields } = readJson(back, "config.json").text_config.rope_scaling;
    assert.partialDeepStrictEqual({ ...fields, ...sharpness }, rope_scaling);
    assert.ok(Math.abs(attention_factor - (sharpness.attention_factor ?? 0.1 * Math.log(3) + 1)) < 1e-6);
    assert.ok(differencesOf(own, await behaviour(back, image)) < 2e-5);
  });

describe("types of GGUF files", () => {
  const width = 256;
  const source = (dtype: "float32" | "bfloat16") =>
    writeRandomCheckpoint(join(folder, `random-${made++}`), 5, {
      dtype,
      text: { hidden_size: width, intermediate_size: 96, num_attention_heads: 8, num_key_value_heads: 2 },
      vision: { hidden_size: 36, intermediate_size: 64 },
    });

  const typesIn = (path: string) => {
    const { tensors, metadata } = readGgufHeader(path);
    const types = new Map(Array.from(tensors, ([name, { layout }]) => [name, layout.type]));
    return { types, metadata };
  };

  test("q4_0: scores keep six bits, vectors float32, and rows that no block divides are float16", async () => {
    const plain = source("float32");
    const output = join(folder, `made-${made++}`);
    const { status, stdout, stderr } = await llava([
      ...["-q", "convert", plain, "--to", "gguf", "--type", "q4_0", "--output", output, "--json"],
    ]);
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout);
    const name = basename(output);
    assert.deepEqual(report.files, [`${name}-Q4_0.gguf`, `mmproj-${name}-F16.gguf`]);
    assert.ok(report.largestDifference > 0.01 && report.largestDifference < 0.5, report.largestDifference);
    assert.ok(report.tensors.every(({ isEqual }: { isEqual: boolean }) => isEqual));
    const { types, metadata } = typesIn(textOf(output));
    assert.equal(types.get("output.weight"), "Q6_K");
    assert.equal(types.get("blk.0.attn_norm.weight"), "F32");
    for (const matrix of ["token_embd", "blk.0.attn_q", "blk.1.ffn_down", "blk.0.ffn_gate"])
      assert.equal(types.get(`${matrix}.weight`), "Q4_0", matrix);
    assert.equal(metadata.get("general.file_type"), 2);
    assert.equal(metadata.get("general.quantization_version"), 2);
    const eye = typesIn(eyeOf(output)).types;
    assert.equal(eye.get("v.patch_embd.weight"), "F16");
    assert.equal(eye.get("v.position_embd.weight"), "F32");
    assert.equal(eye.get("v.blk.0.attn_q.bias"), "F32");
    assert.equal(eye.get("v.blk.0.attn_q.weight"), "F16");
    assert.equal(eye.has("v.blk.3.attn_q.weight"), false, "a layer behind the features is not run");

    const small = await converted(plain, "gguf", "--type", "q8_0", "--mmproj-type", "q8_0");
    assert.equal(typesIn(textOf(small)).types.get("output.weight"), "Q8_0");
    const other = typesIn(eyeOf(small)).types;
    assert.equal(other.get("v.blk.0.attn_q.weight"), "F16", "36 columns");
    assert.equal(other.get("v.blk.0.ffn_down.weight"), "Q8_0", "64 columns");
  });

  test("blocks are those that ggml makes of each row, in the order of rotary pairs", async () => {
    const plain = source("float32");
    const pair = await converted(plain, "gguf", "--type", "q8_0");
    using whole = openCheckpoint(plain);
    using written = openGguf(textOf(pair)); // as it is stored
    const rows = whole.read("model.language_model.layers.0.self_attn.k_proj.weight"); // 2 heads of 32
    const blocks = written.blocks!("blk.0.attn_k.weight")!.blocks;
    for (const [at, row] of [0, 16, 1, 17, 2].entries())
      assert.deepEqual(
        blocks.select(0, at).toNumbers(),
        quantize(rows.slice(0, row, row + 1), "Q8_0")
          .flatten(0, 1)
          .toNumbers(),
      );
  });

  test("bf16 there and back is bf16 again, whatever vectors are kept as", async () => {
    const plain = source("bfloat16");
    const pair = await converted(plain, "gguf");
    assert.equal(typesIn(textOf(pair)).types.get("blk.0.attn_norm.weight"), "F32");
    assert.equal(typesIn(textOf(pair)).types.get("blk.0.attn_q.weight"), "BF16");
    assert.equal(typesIn(eyeOf(pair)).types.get("v.patch_embd.weight"), "F32");
    assert.deepEqual(stored(await converted(pair, "hf")), stored(plain));
    assert.equal(readJson(await converted(pair, "original"), "config.json").torch_dtype, "bfloat16");
  });

  test("values that float16 cannot hold are refused", async () => {
    const plain = source("bfloat16");
    const tensors = new Map(
      Array.from(openSafetensors(join(plain, "model.safetensors")).names(), (name) => [
        name,
        openSafetensors(join(plain, "model.safetensors"))
          .read(name)
          .mul(/up_proj/.test(name) ? 1e6 : 1),
      ]),
    );
    writeSafetensors(join(plain, "model.safetensors"), tensors);
    const output = join(folder, `made-${made++}`);
    const { status, stderr } = await llavaHere([
      "-q",
      "convert",
      plain,
      "--to",
      "gguf",
      "--type",
      "f16",
      "--output",
      output,
    ]);
    assert.notEqual(status, 0);
    assert.match(stderr, /up_proj\.weight has values that F16 cannot hold/);
    assert.equal(existsSync(output), false);
  });
});

describe("a pair of GGUF files", () => {
  const source = join(fixtures, "llava/llama");
  const image = imageOf("llava/llama");
  const pairOf = async () => {
    const made = await converted(source, "gguf");
    return { made, text: textOf(made), eye: eyeOf(made) };
  };

  test("answers by its folder or its file, and tells its tokens without its weights", async () => {
    const { made, text } = await pairOf();
    for (const model of [made, text]) {
      const { status, stdout, stderr } = await llava([
        ...["-q", "generate", model, "--image", image, "--max-tokens", "4", "-p", "What is it?"],
      ]);
      assert.equal(status, 0, stderr);
      assert.ok(stdout.length > 0);
    }
    const { status, stdout, stderr } = await llava(["-q", "tokens", image, "--model", made, "--json"]);
    assert.equal(status, 0, stderr);
    const own = await llava(["-q", "tokens", image, "--model", source, "--json"]);
    const counts = ({ images: [first] }: { images: object[] }) => first;
    assert.deepEqual(counts(JSON.parse(stdout)), counts(JSON.parse(own.stdout)));
    const info = await llava(["-q", "model", "info", made, "--json"]);
    assert.equal(info.status, 0, info.stderr);
  });

  test("of the first converters: feed-forward layers exchanged, and no feature_layer", async () => {
    const { made, eye } = await pairOf();
    const expected = await behaviour(source, image);
    editGguf(eye, (metadata, tensors) => {
      for (const key of [
        "clip.vision.feature_layer",
        "general.type",
        "clip.projector_type",
        "llava.layout",
        "llava.vision.layer_count",
      ])
        metadata.delete(key);
      for (const name of [...tensors.keys()].filter((name) => /ffn_up|^unused/.test(name))) {
        if (name.startsWith("unused")) tensors.delete(name);
        else {
          const down = name.replace("ffn_up", "ffn_down");
          const [up, other] = [tensors.get(name)!, tensors.get(down)!];
          tensors.set(name, other).set(down, up);
        }
      }
    });
    const { logits: _, ...read } = await behaviour(made, image);
    assert.deepEqual(read.ids, expected.ids);
    assert.equal(differencesOf(await behaviour(made, image), expected), 0);
  });

  const bad: Record<string, [(pair: { made: string; text: string; eye: string }) => string, RegExp]> = {
    "without an mmproj": [
      ({ made, eye }) => {
        rmSync(eye);
        return made;
      },
      /no mmproj file is beside it/,
    ],
    "with several language models": [
      ({ made, text }) => {
        cpSync(text, join(made, "other.gguf"));
        return made;
      },
      /several GGUF files: .*other\.gguf/,
    ],
    "of two models": [
      ({ made, eye }) => {
        editGguf(eye, (_, tensors) => {
          const projector = tensors.get("mm.2.weight")!;
          tensors.set("mm.2.weight", {
            ...projector,
            shape: [8, 16],
            read: () => projector.read().slice(0, 0, 8),
          });
        });
        return made;
      },
      /projects into 8 numbers; .* takes 16/,
    ],
    "of an unknown architecture": [
      ({ made, text }) => {
        editGguf(text, (metadata) => metadata.set("general.architecture", "mamba"));
        return made;
      },
      /GGUF architecture mamba; known are llama/,
    ],
    "with an unknown type of blocks": [
      ({ made, text }) => {
        const bytes = readFileSync(text);
        const name = Buffer.from("token_embd.weight");
        bytes.writeUInt32LE(20, bytes.indexOf(name) + name.byteLength + 4 + 16);
        writeFileSync(text, bytes);
        return made;
      },
      /token_embd\.weight has type IQ4_NL \(20\)/,
    ],
    "with a projector of another kind": [
      ({ made, eye }) => {
        editGguf(eye, (metadata) => metadata.set("clip.projector_type", "ldpv2"));
        return made;
      },
      /its projector \(ldpv2\) is not LLaVA's/,
    ],
    "with a norm behind the tower": [
      ({ made, eye }) => {
        editGguf(eye, (_, tensors) => {
          tensors.set("v.post_ln.weight", tensors.get("v.pre_ln.weight")!);
        });
        return made;
      },
      /v\.post_ln/,
    ],
    "cut short": [
      ({ made, text }) => {
        writeFileSync(text, readFileSync(text).subarray(0, 60_000));
        return made;
      },
      /cut short/,
    ],
  };
  for (const [what, [change, message]] of Object.entries(bad))
    test(`${what} is refused in one line`, async () => {
      const model = change(await pairOf());
      const { status, stderr } = await llavaHere(["-q", "generate", model, "-p", "What is it?"]);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
      assert.ok(stderr.trim().split("\n").length <= 2, stderr);
    });
});

describe("what GGUF files cannot hold", () => {
  function changed(name: string, change: object): string {
    const path = join(folder, `changed-${made++}`);
    cpSync(join(fixtures, name), path, { recursive: true });
    writeFileSync(join(path, "config.json"), JSON.stringify({ ...readJson(path, "config.json"), ...change }));
    return path;
  }
  const bad: Record<string, [() => string, RegExp]> = {
    "the class token": [() => join(fixtures, "llava/llama-gqa-full"), /class token/],
    "another activation in the projector": [
      () => changed("llava/llama", { projector_hidden_act: "relu" }),
      /projector_hidden_act/,
    ],
    "tiles without an overview": [
      () => changed("llava-next/original", { mm_patch_merge_type: "spatial_unpad_nobase" }),
      /mm_patch_merge_type/,
    ],
    "layers out of order": [
      () => changed("llava/multi-layer", { vision_feature_layer: [-1, -2] }),
      /vision_feature_layer/,
    ],
  };
  for (const [what, [source, message]] of Object.entries(bad))
    test(`${what} is refused in one line, and nothing is left`, async () => {
      const output = join(folder, `refused-${made++}`);
      const { status, stderr } = await llavaHere([
        "-q",
        "convert",
        source(),
        "--to",
        "gguf",
        "--output",
        output,
      ]);
      assert.notEqual(status, 0);
      assert.match(stderr, message);
      assert.ok(stderr.trim().split("\n").length <= 2, stderr);
      assert.equal(existsSync(output) || existsSync(`${output}.partial`), false);
    });

  test("a full disk leaves nothing", async (context) => {
    const full = join(folder, "full");
    mkdirSync(full);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", full], { stdio: "ignore" });
    } catch {
      return context.skip("mounting a small file system takes root");
    }
    try {
      const { status, stderr } = await llavaHere([
        ...["-q", "convert", join(fixtures, "llava/llama"), "--to", "gguf", "--output", join(full, "model")],
      ]);
      assert.notEqual(status, 0);
      assert.match(stderr, /cannot be written: ENOSPC/);
      assert.deepEqual(readdirSync(full), []);
    } finally {
      execFileSync("umount", [full]);
    }
  });
});
