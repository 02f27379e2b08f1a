// Checkpoints that cannot be used, through the command line: npm test -- test/cli/bad-checkpoint.test.ts
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ask, fixtures, goodModel, inFolder, refused } from "../support/refusals.ts";

/** A copy of one of the tiny checkpoints, to be spoilt. */
function checkpoint(name: string, layout: string, spoil: (path: string) => void): string {
  cpSync(join(fixtures, "llava", layout), inFolder(name), { recursive: true });
  spoil(inFolder(name));
  return inFolder(name);
}

type Json = Record<string, unknown>;

function editJson(path: string, edit: (json: Json) => void): void {
  const json = JSON.parse(readFileSync(path, "utf8")) as Json;
  edit(json);
  writeFileSync(path, JSON.stringify(json));
}

const withConfig = (name: string, layout: string, edit: (json: Json) => void): string =>
  checkpoint(name, layout, (path) => editJson(join(path, "config.json"), edit));

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

function editHeader(path: string, edit: (header: Header) => void): void {
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString("utf8", 8, end)) as Header;
  edit(header);
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, bytes.subarray(end)]));
}

const withHeader = (name: string, edit: (header: Header) => void): string =>
  checkpoint(name, "llama", (path) => editHeader(join(path, "model.safetensors"), edit));

describe("a checkpoint", () => {
  const cases: [what: string, model: () => string, ...expected: RegExp[]][] = [
    [
      "without one of its shards",
      () =>
        checkpoint("shards", "llama-gqa-full", (path) =>
          rmSync(join(path, "model-00002-of-00003.safetensors")),
        ),
      /model-00002-of-00003\.safetensors/,
    ],
    [
      "with a tensor of another shape",
      () => withHeader("shape", (header) => header["multi_modal_projector.linear_1.weight"]!.shape.reverse()),
      /linear_1\.weight is \[12, 16\], expected \[16, 12\]/,
    ],
    [
      "whose tensors overlap",
      () =>
        withHeader("overlap", (header) => {
          const [a, b] = Object.values(header).filter(({ shape }) => shape?.join() === "16");
          b!.data_offsets = a!.data_offsets;
        }),
      /overlap.model\.safetensors/,
    ],
    [
      "whose tensor ends behind the file",
      () =>
        withHeader("behind", (header) => {
          const last = Object.values(header).findLast(({ shape }) => shape?.join() === "16")!;
          last.data_offsets = last.data_offsets.map((offset) => offset + 1e9) as [number, number];
        }),
      /behind.model\.safetensors/,
    ],
    [
      "whose header is longer than the file",
      () => checkpoint("header", "llama", (path) => truncateSync(join(path, "model.safetensors"), 100)),
      /header.model\.safetensors/,
    ],
    [
      "of an unknown model type",
      () => withConfig("unknown", "llama", (json) => Object.assign(json, { model_type: "blip_2" })),
      /unknown.config\.json.*"blip_2"/,
    ],
    [
      "around an unknown language model",
      () =>
        withConfig("family", "llama", (json) =>
          Object.assign(json["text_config"] as Json, { model_type: "phi3" }),
        ),
      /family.config\.json, text_config: language model type "phi3"; known are llama,/,
    ],
    [
      "with an unknown vision tower",
      () =>
        withConfig("eyes", "llama", (json) =>
          Object.assign(json["vision_config"] as Json, { model_type: "siglip2_vision_model" }),
        ),
      /eyes.config\.json, vision_config: vision model type "siglip2_vision_model"; known are clip_vision_model,/,
    ],
    [
      "with an unknown kind of rotary scaling",
      () =>
        withConfig("rope", "llama", (json) =>
          Object.assign(json["text_config"] as Json, {
            rope_parameters: { rope_type: "longrope", rope_theta: 1e4, factor: 4 },
          }),
        ),
      /rope.config\.json, text_config: rope scaling "longrope"; known are default, linear, dynamic, llama3, yarn/,
    ],
    [
      "of shards of two models",
      () =>
        checkpoint("two", "llama-gqa-full", (path) => {
          const shard = join(path, "model-00002-of-00003.safetensors");
          editHeader(shard, (header) => {
            for (const { shape } of Object.values(header)) if (shape?.length === 2) shape.reverse();
          });
        }),
      /two.model\.safetensors\.index\.json does not fit the model: \d+ of another shape/,
      /weights belong together/,
    ],
    [
      "of LLaVA-OneVision without its newline",
      () => {
        cpSync(join(fixtures, "families/onevision"), inFolder("onevision"), { recursive: true });
        editHeader(inFolder("onevision/model.safetensors"), (header) => {
          header["newline"] = header["image_newline"]!;
          delete header["image_newline"];
        });
        return inFolder("onevision");
      },
      /onevision.*1 missing: image_newline/,
    ],
    [
      "of LLaVA-1.6 without its newline",
      () => withConfig("next", "llama", (json) => Object.assign(json, { model_type: "llava_next" })),
      /next.*1 missing: image_newline/,
    ],
    [
      "of LLaVA-1.6 without the sizes of its images",
      () =>
        withConfig("anyres", "original", (json) =>
          Object.assign(json, { image_aspect_ratio: "anyres_max_9" }),
        ),
      /anyres.config\.json.*image_grid_pinpoints is missing/,
    ],
    [
      "that merges patches in an unknown way",
      () => withConfig("unpad", "original", (json) => Object.assign(json, { mm_patch_merge_type: "unires" })),
      /unpad.config\.json.*mm_patch_merge_type "unires" is not supported/,
    ],
    [
      "with a feature layer that its tower has not",
      () => withConfig("layer", "llama", (json) => Object.assign(json, { vision_feature_layer: -9 })),
      /layer.config\.json.*vision_feature_layer is -9.*3 layers/,
    ],
    [
      "with a feature layer that its tower has not, original layout",
      () => withConfig("layer2", "original", (json) => Object.assign(json, { mm_vision_select_layer: 7 })),
      /layer2.config\.json.*mm_vision_select_layer is 7.*3 layers/,
    ],
    [
      "with a larger vocabulary than its embedding",
      () => withConfig("large", "llama", (json) => Object.assign(json["text_config"]!, { vocab_size: 300 })),
      /embed_tokens\.weight is \[280, 16\], expected \[300, 16\]/,
    ],
    [
      "with a smaller vocabulary than its embedding",
      () => withConfig("small", "llama", (json) => Object.assign(json["text_config"]!, { vocab_size: 279 })),
      /embed_tokens\.weight is \[280, 16\], expected \[279, 16\]/,
    ],
    [
      "with the tokenizer of another model",
      () =>
        checkpoint("tokenizer", "llama", (path) =>
          editJson(join(path, "tokenizer.json"), (json) => {
            const { vocab } = json["model"] as { vocab: Record<string, number> };
            for (let id = 280; id < 400; id++) vocab[`more${id}`] = id;
          }),
        ),
      /tokenizer: .*400.*280/,
    ],
    [
      "whose image token is not in the tokenizer",
      () => withConfig("image", "llama", (json) => Object.assign(json, { image_token_index: 5000 })),
      /image.config\.json.*image_token_index.* 5000/,
    ],
    [
      "without tokenizer",
      () => checkpoint("dumb", "llama", (path) => rmSync(join(path, "tokenizer.json"))),
      /dumb.*tokenizer\.json/,
    ],
    [
      "whose config.json is not JSON",
      () => checkpoint("yaml", "llama", (path) => writeFileSync(join(path, "config.json"), "a: 1")),
      /yaml.config\.json is not valid JSON/,
    ],
    [
      "whose config.json is missing",
      () => checkpoint("bare", "llama", (path) => rmSync(join(path, "config.json"))),
      /bare has no config\.json/,
    ],
    [
      "that is an empty folder",
      () => {
        mkdirSync(inFolder("empty"));
        return inFolder("empty");
      },
      /empty has no config\.json/,
    ],
    ["that is a file", () => join(goodModel, "model.safetensors"), /model\.safetensors/],
    ["that does not exist", () => inFolder("nothing"), /nothing/],
    [
      "that is an adapter whose base is not here",
      () =>
        checkpoint("adapter", "llama", (path) => {
          rmSync(join(path, "model.safetensors"));
          const config = {
            peft_type: "LORA",
            r: 4,
            lora_alpha: 8,
            base_model_name_or_path: "no base at all",
          };
          writeFileSync(join(path, "adapter_config.json"), JSON.stringify(config));
        }),
      /adapter holds an adapter of no base at all.*--base/s,
    ],
    [
      "whose pickle wants to run something",
      () =>
        checkpoint("pickle", "llama", (path) => {
          rmSync(join(path, "model.safetensors"));
          cpSync(join(fixtures, "checkpoint/malicious.pt"), join(path, "pytorch_model.bin"));
        }),
      /pytorch_model\.bin: the pickle asks for/,
    ],
    [
      "whose GGUF is cut short",
      () =>
        checkpoint("gguf", "llama", (path) => {
          rmSync(join(path, "model.safetensors"));
          const bytes = readFileSync(join(fixtures, "checkpoint/quantised.gguf"));
          writeFileSync(join(path, "model.gguf"), bytes.subarray(0, bytes.length - 100));
        }),
      /model\.gguf: cut short/,
    ],
    [
      "whose configuration is a folder",
      () =>
        checkpoint("configs", "llama", (path) => {
          rmSync(join(path, "config.json"));
          mkdirSync(join(path, "config.json"));
        }),
      /configs.config\.json: cannot be read: EISDIR/,
    ],
    [
      "of absurd size",
      () =>
        withConfig("absurd", "llama", (json) => Object.assign(json["text_config"]!, { hidden_size: 1e9 })),
      /absurd.config\.json, text_config: hidden_size: /,
    ],
    [
      "whose images are of another size than its tower's",
      () =>
        checkpoint("sizes", "llama", (path) =>
          editJson(join(path, "processor_config.json"), (json) =>
            Object.assign(json["image_processor"]!, { crop_size: { height: 56, width: 56 } }),
          ),
        ),
      /sizes: the image processor makes images of 56×56; the vision tower takes 28×28/,
    ],
    [
      "whose tokenizer uses what is unknown",
      () =>
        checkpoint("words", "llama", (path) =>
          editJson(join(path, "tokenizer.json"), (json) => {
            json["pre_tokenizer"] = { type: "Nope" };
          }),
        ),
      /words.tokenizer\.json: cannot be used: .*Nope/,
    ],
    [
      "whose weights are a Git LFS pointer",
      () =>
        checkpoint("pointer", "llama", (path) =>
          writeFileSync(
            join(path, "model.safetensors"),
            `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 135\n`,
          ),
        ),
      /pointer.model\.safetensors is a Git LFS pointer for a file of 135 bytes.*git lfs pull/s,
    ],
    [
      "whose tokenizer is a web page",
      () =>
        checkpoint("page", "llama", (path) =>
          writeFileSync(join(path, "tokenizer.json"), "<!doctype html><title>Log in</title>"),
        ),
      /page.tokenizer\.json is a web page \("Log in"\)/,
    ],
    [
      "with weights of a type that is not read",
      () =>
        withHeader("type", (header) => {
          header["multi_modal_projector.linear_1.bias"]!.dtype = "U32";
        }),
      /linear_1\.bias is stored as U32, which is not read.*Convert/s,
    ],
    [
      "that was quantised",
      () =>
        withConfig("quantised", "llama", (json) =>
          Object.assign(json, { quantization_config: { load_in_4bit: true } }),
        ),
      /quantization_config is .*load_in_4bit.*changes results.*whole weights/s,
    ],
    [
      "of several scales of an image",
      () => withConfig("scales", "original", (json) => Object.assign(json, { s2: true })),
      /scales.config\.json: s2 is true, which changes results/,
    ],
    [
      "whose tower is on another machine",
      () =>
        withConfig("far", "original", (json) => Object.assign(json, { mm_vision_tower: "/home/them/clip" })),
      /mm_vision_tower \/home\/them\/clip is no folder here.*as clip, or name it \(--vision-tower\)/s,
    ],
    [
      "that is a loop of links",
      () =>
        checkpoint("loop", "llama", (path) => {
          rmSync(join(path, "model.safetensors"));
          symlinkSync("model.safetensors", join(path, "model.safetensors"));
        }),
      /loop/,
    ],
  ];
  for (const [what, model, ...expected] of cases)
    test(what, async () => {
      const path = model();
      await refused(ask(path), 1, ...expected);
    });
});

describe("an option that does nothing for a checkpoint is an error", () => {
  test("--base", async () => {
    await refused(
      ask(goodModel, "--base", goodModel),
      2,
      /is a whole model, which needs no base/,
      /Leave out/,
    );
  });
  test("--vision-tower", async () => {
    const tower = join(fixtures, "llava/original/clip-vit-tiny-patch14-28");
    await refused(ask(goodModel, "--vision-tower", tower), 2, /its own files/, /Leave out --vision-tower/);
  });
});
