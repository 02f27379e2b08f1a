/**
 * Holds what `llava serve` tells of the tokens of prompts against transformers' processors: twelve sizes of images and one to four of
 * them, with each of the tiny checkpoints, and videos where a model reads them. /tokenize, input_tokens and streams must tell the same.
 *   node proofs/check-usage.ts PYTHON       (with transformers, torch, torchvision and Pillow)
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { eventsOf } from "../test/support/ask-server.ts";
import { startServing } from "../test/support/serving-process.ts";

const [python] = process.argv.slice(2);
if (python === undefined) throw new Error("usage: node proofs/check-usage.ts PYTHON");
const here = fileURLToPath(new URL(".", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "llava-usage-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const fixtures = [
  ...["llava/llama", "llava/qwen2"],
  ...["llava-next/llama", "llava-next/llama3", "llava-next/mistral", "llava-next/qwen2"],
  ...["llava-next-video/average", "families/interleave", "families/onevision"],
];
const readVideos = ["llava-next-video/average", "families/onevision"];
const sizes = "1x1 14x14 336x336 640x480 480x640 1000x250 250x1000 4000x300 300x4000 57x56 1920x1080 3x200";

/** transformers wants to be told what frames of videos are resized to: as images are. */
function addVideoProcessor(path: string): void {
  const config = JSON.parse(readFileSync(path, "utf8"));
  const { size } = config.image_processor;
  config.video_processor = { video_processor_type: "LlavaOnevisionVideoProcessor", size };
  writeFileSync(path, JSON.stringify(config));
}

/** A copy of a tiny checkpoint with room for large prompts. */
function roomy(fixture: string): string {
  const copy = join(folder, fixture.replace("/", "-"));
  cpSync(join(here, "../test/fixtures", fixture), copy, { recursive: true });
  const config = readFileSync(join(copy, "config.json"), "utf8");
  const roomy = config.replace(/(?<name>"max_position_embeddings": )\d+/, "$<name>16384");
  assert.notEqual(roomy, config);
  writeFileSync(join(copy, "config.json"), roomy);
  if (fixture === "families/onevision") addVideoProcessor(join(copy, "processor_config.json"));
  return copy;
}

const images = await Promise.all(
  sizes.split(" ").map(async (size) => {
    const [width, height] = size.split("x").map(Number) as [number, number];
    const path = join(folder, `${size}.png`);
    const background = { r: width % 256, g: height % 256, b: 90 };
    await sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toFile(path);
    return path;
  }),
);
const frames = await Promise.all(
  Array.from({ length: 4 }, async (_, index) => {
    const path = join(folder, `frame-${index}.jpg`);
    const background = { r: 60 * index, g: 0, b: 0 };
    await sharp({ create: { width: 64, height: 48, channels: 3, background } })
      .jpeg()
      .toFile(path);
    return path;
  }),
);

interface Question {
  readonly images: readonly string[];
  readonly videos: readonly (readonly string[])[];
}

const questionsOf = (fixture: string): Question[] => [
  ...images.map((image) => ({ images: [image], videos: [] })),
  ...[2, 3, 4].flatMap((count) =>
    [0, 5].map((from) => ({
      images: Array.from({ length: count }, (_, index) => images[(from + index) % images.length]!),
      videos: [],
    })),
  ),
  ...(readVideos.includes(fixture)
    ? [
        { images: [], videos: [frames] },
        { images: [], videos: [frames.slice(0, 3)] },
      ]
    : []),
];

const cases = fixtures.map((fixture) => ({
  folder: roomy(fixture),
  fixture,
  questions: questionsOf(fixture),
}));
const words = "What is it?";
const base64 = (path: string): string => readFileSync(path).toString("base64");
const text = { type: "text", text: words };
const asked = cases.map(({ folder, questions }) => ({
  folder,
  questions: questions.map(({ images, videos }) => ({
    images,
    videos,
    messages: [
      {
        role: "user",
        content: [...images.map(() => ({ type: "image" })), ...videos.map(() => ({ type: "image" })), text],
      },
    ],
  })),
}));
const path = join(folder, "asked.json");
writeFileSync(path, JSON.stringify(asked));
const expected: [number, number][] = JSON.parse(
  execFileSync(python, [join(here, "check_usage.py"), path], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }),
);

using server = await startServing([...cases.map((each) => each.folder), "--no-log"]);
const post = async (path: string, body: object) => {
  const response = await fetch(`${server.url}${path}`, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
};

let wrong = 0;
for (const { fixture, folder, questions } of cases) {
  const model = folder.split("/").at(-1)!;
  let right = 0;
  for (const { images, videos } of questions) {
    const [tokens, seen] = expected.shift()!;
    const content = [
      ...images.map((image) => ({
        type: "image_url",
        image_url: { url: `data:image/png;base64,${base64(image)}` },
      })),
      ...videos.map((video) => ({
        type: "video_url",
        video_url: { url: `data:video/jpeg;base64,${video.map(base64).join()}` },
      })),
      text,
    ];
    const body = { model, messages: [{ role: "user", content }] };
    const { usage } = JSON.parse(await post("/v1/chat/completions", { ...body, max_tokens: 1 }));
    const streamed = { stream: true, stream_options: { include_usage: true } };
    const stream = eventsOf(await post("/v1/chat/completions", { ...body, max_tokens: 1, ...streamed }));
    const tokenized = JSON.parse(await post("/tokenize", body));
    const counted = JSON.parse(await post("/v1/chat/completions/input_tokens", body));
    const told = {
      usage: [usage.prompt_tokens, usage.prompt_tokens_details.image_tokens],
      streamed: [stream.at(-1).usage.prompt_tokens, stream.at(-1).usage.prompt_tokens_details.image_tokens],
      tokenize: [tokenized.count, tokenized.image_tokens],
      input_tokens: [counted.input_tokens, seen],
    };
    const names = [...images, ...videos.map((video) => `${video.length} frames`)];
    const others = Object.entries(told).filter(([, [count, of]]) => count !== tokens || of !== seen);
    if (others.length === 0) right++;
    else
      console.log(
        `FAILED  ${fixture}, ${names.map((name) => name.split("/").at(-1)).join(" ")}: transformers ${tokens} (${seen}), here ${others
          .map(([where, [count, of]]) => `${count} (${of}) in ${where}`)
          .join(", ")}`,
      );
  }
  wrong += questions.length - right;
  console.log(
    `${right === questions.length ? "ok    " : "FAILED"}  ${fixture}: ${right} of ${questions.length} prompts`,
  );
}
process.exitCode = wrong === 0 ? 0 : 1;
