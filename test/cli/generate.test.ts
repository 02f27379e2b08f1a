// `llava generate`, `trace` and `chat` as child processes on tiny checkpoints: npm test -- test/cli/generate.test.ts
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSafetensors, readSafetensorsHeader } from "../../src/checkpoint/index.ts";
import { startLlava } from "../support/cli.ts";
import { assertClose } from "../support/close.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const fixtures = join(root, "test/fixtures/llava");
const folder = temporaryFolder("llava-cli");

const start = (args: readonly string[], input?: string) =>
  startLlava(["--quiet", ...args], { cwd: folder, input });
const llava = (args: readonly string[], input?: string) => start(args, input).ended;

function referenceOf(name: string) {
  const path = join(fixtures, name, "reference.safetensors");
  const { metadata } = readSafetensorsHeader(path);
  const prompts: string[] = JSON.parse(metadata.get("prompts")!);
  const images: string[][] = JSON.parse(metadata.get("images")!);
  const source = openSafetensors(path);
  return { prompts, images: images.map((row) => row.map((file) => join(fixtures, "images", file))), source };
}

const long = ["--max-tokens", "24", "--ignore-eos"];

describe("generate", () => {
  const { prompts, images, source } = referenceOf("qwen2");
  const greedy = source.read("batch.greedy_ids").toNumbers();
  const expected = [greedy.slice(0, 24), greedy.slice(24)];
  const model = join(fixtures, "qwen2");

  test("--raw --json gives the ids of transformers, with counts and timings", async () => {
    const sources = images[0]!.flatMap((image) => ["--image", image]);
    const { status, stdout, stderr } = await llava([
      "generate",
      model,
      "--raw",
      "--json",
      "--prompt",
      prompts[0]!,
      ...sources,
      ...long,
    ]);
    assert.equal(status, 0, stderr);
    const { timings, ...rest } = JSON.parse(stdout);
    const { text, ...counts } = rest;
    assert.deepEqual(counts, {
      id: 1,
      tokenIds: expected[0],
      promptTokens: source.info("input_ids").shape[1],
      imageTokens: 8,
      finishReason: "length",
    });
    assert.ok(text.length > 0);
    for (const name of ["loadMs", "prefillMs", "decodeMs", "tokensPerSecond"])
      assert.ok(timings[name] > 0, name);
  });

  test("rows of a file are answered in order; bad ones are reported and the rest goes on", async () => {
    const rows = [
      { id: "a", prompt: prompts[0], images: images[0] },
      { id: "missing", prompt: "<image>", images: ["nowhere.png"] },
      { id: "count", prompt: "no placeholder", images: images[0] },
      { id: "long", prompt: "x".repeat(300) },
      { id: "b", prompt: prompts[1], images: images[1] },
      { id: "wrong", prompt: 3 },
    ];
    const path = join(folder, "rows.jsonl");
    writeFileSync(path, `${rows.map((row) => JSON.stringify(row)).join("\n")}\n{cut`);
    const { status, stdout } = await llava(["generate", model, "--raw", "--json", "--input", path, ...long]);
    const printed = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(status, 1);
    assert.deepEqual(
      printed.map(({ id, error, tokenIds }) => [id, error?.code ?? tokenIds]),
      [
        ["a", expected[0]],
        ["missing", "image"],
        ["count", "prompt"],
        ["long", "prompt"],
        ["b", expected[1]],
        [6, "data"],
        [7, "data"],
      ],
    );
    assert.match(printed[3].error.message, /holds 256/);
  });

  test("a single prompt streams plain text; a seed repeats it", async () => {
    const args = ["generate", model, "--prompt", "Hi", "--temperature", "1", "--seed", "3", ...long];
    const [first, second] = await Promise.all([llava(args), llava(args)]);
    assert.equal(first.status, 0, first.stderr);
    assert.ok(first.stdout.length > 2);
    assert.equal(second.stdout, first.stdout);
  });

  test("--beams finds the answers of transformers, with their scores; a batch in any order", async () => {
    const model = join(fixtures, "llama");
    const { prompts, images } = referenceOf("llama");
    const { maxTokens, cases } = JSON.parse(readFileSync(join(model, "beams.json"), "utf8"));
    const { beams, tokenIds, scores } = cases.find(
      ({ beams, lengthPenalty, stopIds, scores }: Record<string, unknown>) =>
        (beams as number) > 1 && lengthPenalty === 1 && (stopIds as number[]).length === 0 && scores !== null,
    );
    const path = join(folder, "beams.jsonl");
    const rows = prompts.map((prompt, row) => ({ id: row, prompt, images: images[row] }));
    writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
    const options = ["--beams", String(beams), "--max-tokens", String(maxTokens), "--ignore-eos", "--json"];
    const { status, stdout, stderr } = await llava(["generate", model, "--raw", "--input", path, ...options]);
    assert.equal(status, 0, stderr);
    for (const line of stdout.trim().split("\n")) {
      const answered = JSON.parse(line);
      assert.deepEqual(answered.tokenIds, tokenIds[answered.id]);
      assert.ok(Math.abs(answered.score - scores[answered.id]) < 1e-4);
      assert.ok(answered.text.length > 0);
      assert.deepEqual([answered.finishReason, answered.imageTokens > 0], ["length", true]);
    }
  });

  test("one prompt's search prints its text; options that draw are refused beside --beams", async () => {
    const asked = ["generate", model, "-p", "Hi", "--beams", "2"];
    const [found, listed, drawn, help] = await Promise.all([
      llava([...asked, "--max-tokens", "6"]),
      llava([...asked, "--max-tokens", "6", "--json"]),
      llava([...asked, "--temperature", "1", "--top-k", "5"]),
      llava(["generate", "--help"]),
    ]);
    assert.equal(found.status, 0, found.stderr);
    assert.equal(found.stdout, `${JSON.parse(listed.stdout).text}\n`);
    assert.equal(drawn.status, 2);
    assert.match(drawn.stderr, /--temperature and --top-k have no place beside --beams/);
    assert.match(help.stdout, /llava generate .* --beams 3/);
  });

  test("without a prompt, and with a wrong option, the status is 2", async () => {
    const [none, wrong] = await Promise.all([
      llava(["generate", model]),
      llava(["generate", model, "-p", "x", "--top-p", "much"]),
    ]);
    assert.deepEqual([none.status, wrong.status], [2, 2]);
    assert.match(wrong.stderr, /--top-p/);
  });
});

test("trace writes every stage as transformers computes it", async () => {
  const { prompts, images, source } = referenceOf("llama");
  const out = join(folder, "trace.safetensors");
  const image = images[0]![0]!;
  const { status, stderr } = await llava([
    "trace",
    join(fixtures, "llama"),
    "--raw",
    "--image",
    image,
    "--prompt",
    prompts[0]!,
    "--out",
    out,
  ]);
  assert.equal(status, 0, stderr);
  const trace = openSafetensors(out);
  const names = [
    "pixel_values",
    "vision_features",
    "projected_features",
    "input_ids",
    "inputs_embeds",
    "logits",
  ];
  assert.deepEqual([...trace.names()].sort(), names.toSorted());
  assert.equal(trace.info("input_ids").dtype, "int64");
  for (const name of names) {
    const expected = source.read(name);
    const actual = trace.read(name);
    assertClose(actual.reshape(expected.shape), expected, 1e-4, name); // measured: at most 6e-6, of logits
  }
});

test("transparent pixels show what lies under them or white, and are told of once, also with --quiet", async () => {
  const clear = join(folder, "clear.png");
  const { default: sharp } = await import("sharp");
  await sharp({ create: { width: 8, height: 8, channels: 4, background: "#00000000" } })
    .png()
    .toFile(clear);
  const model = join(fixtures, "llama");
  const means = await Promise.all(
    [[], ["--transparency", "white"]].map(async (options) => {
      const out = join(folder, `clear${options.length}.safetensors`);
      const images = ["--image", clear, "--image", clear];
      const { status, stderr } = await llava([
        "trace",
        model,
        ...images,
        "--prompt",
        "What?",
        "--out",
        out,
        ...options,
      ]);
      assert.equal(status, 0, stderr);
      assert.equal(stderr.match(/clear\.png: 100 % of its pixels are transparent/g)?.length, 1, stderr);
      using trace = openSafetensors(out);
      const { metadata } = readSafetensorsHeader(out);
      return [metadata.get("transparency"), trace.read("pixel_values").mean().item().toFixed(2)];
    }),
  );
  assert.deepEqual(means, [
    ["drop", "-1.67"],
    ["white", "2.05"],
  ]);
  const { stderr } = await llava([
    "generate",
    model,
    "--image",
    clear,
    "--prompt",
    "What?",
    "--max-tokens",
    "1",
  ]);
  assert.match(stderr, /clear\.png: 100 % .*hidden under them.*--transparency chooses/);
});

test("trace leaves no file behind where it cannot finish", async () => {
  const out = join(folder, "bad.safetensors");
  const args = ["trace", join(fixtures, "llama"), "--raw", "--prompt", "<image>", "--out", out];
  const { status, stderr } = await llava(args);
  assert.equal(status, 1);
  assert.match(stderr, /1 <image> placeholder but 0 images/);
  assert.deepEqual(
    readdirSync(folder).filter((file) => file.startsWith("bad")),
    [],
  );
});

describe("chat", () => {
  const model = join(fixtures, "llama");
  const photo = join(fixtures, "images/wide.png");

  test("a model, a photo and a question in a row give what generate gives", async () => {
    const [chat, generate] = await Promise.all([
      llava(["chat", model, photo, "What", "is it?", ...long]),
      llava(["generate", model, "--image", photo, "--prompt", "What is it?", ...long]),
    ]);
    assert.equal(chat.status, 0, chat.stderr);
    assert.ok(chat.stdout.trim().length > 0);
    assert.equal(chat.stdout, generate.stdout);
  });

  test("lines from a pipe are a conversation", async () => {
    const { status, stdout, stderr } = await llava(["chat", model, ...long], `What is ${photo}\n/exit\n`);
    assert.equal(status, 0, stderr);
    const alone = await llava(["chat", model, photo, "What is", ...long]);
    assert.equal(stdout, `${alone.stdout.slice(0, -1)} …\n`);
  });

  test("a photo that is not there is an error that names it", async () => {
    const { status, stderr } = await llava(["chat", model, "nowhere.jpg", "What is it?"]);
    assert.equal(status, 1);
    assert.match(stderr, /nowhere\.jpg: no such file/);
  });
});

test("an original checkpoint without a template is told to be taken for vicuna_v1", async () => {
  const trace = (name: string) =>
    startLlava(["trace", join(fixtures, name), "--prompt", "a", "--out", "assumed.safetensors"], {
      cwd: folder,
    }).ended;
  const said = /original states no conversation template; vicuna_v1 is assumed \(--template names another/;
  const [original, own] = [await trace("original"), await trace("llama")];
  assert.equal(original.status, 0, original.stderr);
  assert.match(original.stderr, said);
  assert.doesNotMatch(own.stderr, /is assumed/);
});
