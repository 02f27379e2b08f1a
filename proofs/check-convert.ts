/**
 * Converts the tiny test checkpoints of the original layout, and one that went there and back, to Hugging Face's, and has
 * transformers load what that leaves: its inputs and logits beside this project's of the source.
 * node proofs/check-convert.ts PYTHON, an interpreter that has torch, transformers and Pillow
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeSafetensors } from "../src/checkpoint/index.ts";
import { LocalModel, traceStages } from "../src/generation/index.ts";
import { convertModel, loadCheckpoint, type WrittenLayout } from "../src/pretrained/index.ts";
import { inference, longTensor } from "../src/torch/index.ts";

const python = process.argv[2];
if (python === undefined) throw new Error("usage: node proofs/check-convert.ts PYTHON");
const fixtures = fileURLToPath(new URL("../test/fixtures/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "llava-convert-"));

async function convert(source: string, to: WrittenLayout, name: string): Promise<string> {
  using pretrained = await loadCheckpoint(source);
  const output = join(folder, name);
  convertModel(pretrained, { to, output, maxShardBytes: 40_000 });
  return output;
}

try {
  for (const name of ["llava/original", "llava/legacy-4x", "llava-next/original", "llava-next/mistral"]) {
    const source = join(fixtures, name);
    const plain = name.replace("/", "-");
    const isOriginal = name.endsWith("original");
    const from = isOriginal ? source : await convert(source, "original", `${plain}-original`);
    const output = await convert(from, "hf", plain);
    using converted = await loadCheckpoint(output);
    using pretrained = await loadCheckpoint(source);
    for (const image of ["tall", "wide"]) {
      const file = join(fixtures, name.split("/")[0]!, "images", `${image}.png`);
      const prompt = "USER: <image>\nWhat is it? ASSISTANT:";
      using inputs = await new LocalModel(pretrained, { id: name }).prepare({ raw: prompt, images: [file] });
      const stages = inference(() => traceStages(pretrained.model, inputs));
      const { imageTokenId } = pretrained.model;
      const ids = inputs.inputIds.map((id) => (id === imageTokenId ? converted.model.imageTokenId : id));
      const expected = join(folder, "expected.safetensors");
      writeSafetensors(
        expected,
        new Map([
          ["input_ids", longTensor(ids, [1, ids.length])],
          ["pixel_values", stages.get("pixel_values")!],
          ["logits", stages.get("logits")!],
        ]),
        { prompt },
      );
      const script = join(import.meta.dirname, "check_convert.py");
      process.stdout.write(`${name}, ${image}: `);
      execFileSync(python, [script, expected, file, output], { stdio: ["ignore", "inherit", "pipe"] });
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
