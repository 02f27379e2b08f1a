// Rows and pixels from other threads: npm test -- src/data/loading
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { ggufMetadata } from "../../../test/support/gguf-metadata.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LlavaError } from "../../errors.ts";
import { clipImageConfig, type PixelValues } from "../../processing/image/index.ts";
import { openProcessor, type ProcessorSource, sourceWithoutModel } from "../../processing/processor/index.ts";
import { type LlavaRow, RowError, type RowImage } from "../../protocol/index.ts";
import type { RowRules } from "./encode-within.ts";
import { LoadingPool } from "./loading-pool.ts";
import { type RowLoader, rowLoaderHere } from "./row-loader.ts";

const folder = temporaryFolder("llava-pixels");

const tokenizer = fileURLToPath(new URL("../../../test/fixtures/tokenizer/llama2", import.meta.url));
const small = clipImageConfig(28, "pad");
const source: ProcessorSource = {
  ...sourceWithoutModel({ folder: tokenizer }, { name: "v1" }, 9),
  image: small,
};
const here = rowLoaderHere(await openProcessor(source));
const photos = await Promise.all(
  Array.from({ length: 9 }, (_, i) => {
    const data = Uint8Array.from({ length: 40 * (20 + i) * 3 }, (_, at) => (at * (i + 7)) % 251);
    return sharp(data, { raw: { width: 40, height: 20 + i, channels: 3 } })
      .jpeg()
      .toBuffer();
  }),
);
/** Some in files, some in memory. */
const images = photos.map((bytes, i): RowImage => {
  const name = `${i}.jpg`;
  if (i % 2 === 0) return { name, bytes };
  writeFileSync(join(folder, name), bytes);
  return { name };
});
const pixelsOf = async (loader: RowLoader, ...asked: RowImage[]) =>
  (await loader.load({ folder, images: asked })).pixels;
const bytesOf = (pixels: PixelValues | LlavaError): string => {
  assert.ok(!(pixels instanceof LlavaError));
  return `${pixels.width}×${pixels.height} ${Buffer.from(pixels.data.buffer).toString("base64")}`;
};
const told = (error: unknown): unknown[] => {
  assert.ok(error instanceof LlavaError);
  return [error.code, error.message, error.hint, error instanceof RowError && error.problem];
};

describe("a pool of threads", () => {
  test("gives the pixels of loading here, for any number of threads", async () => {
    const expected = (await pixelsOf(here, ...images)).map(bytesOf);
    for (const workers of [1, 2, 3]) {
      using pool = new LoadingPool(source, workers);
      const loaded = await Promise.all(images.map((image) => pixelsOf(pool, image)));
      assert.deepEqual(loaded.flat().map(bytesOf), expected);
      assert.deepEqual((await pixelsOf(pool, ...images)).map(bytesOf), expected);
    }
  });

  test("shows transparent pixels as the processor says", async () => {
    const background = { r: 0, g: 0, b: 0, alpha: 0 };
    const bytes = await sharp({ create: { width: 4, height: 4, channels: 4, background } })
      .png()
      .toBuffer();
    const first = async (transparency: "drop" | "white") => {
      using pool = new LoadingPool({ ...source, image: { ...small, transparency } }, 1);
      const [pixels] = await pixelsOf(pool, { name: "clear.png", bytes });
      assert.ok(pixels !== undefined && !(pixels instanceof LlavaError));
      return pixels.data[0]!.toFixed(2);
    };
    assert.deepEqual([await first("drop"), await first("white")], ["-1.79", "1.93"]);
  });

  test("tells of images that cannot be decoded as loading here does", async () => {
    using pool = new LoadingPool(source, 1);
    const bad = [
      { name: "none.jpg" },
      { name: "text.jpg", bytes: Buffer.from("text") },
      { name: "cut.jpg", bytes: photos[0]!.subarray(0, 300) },
    ];
    const [there, expected] = [await pixelsOf(pool, ...bad), await pixelsOf(here, ...bad)];
    assert.deepEqual(there.map(told), expected.map(told));
  });

  test("that is stopped or breaks down leaves nobody waiting", async () => {
    const pool = new LoadingPool(source, 1);
    const waiting = images.map((image) => pixelsOf(pool, image));
    pool[Symbol.dispose]();
    for (const each of waiting) await assert.rejects(each, { code: "aborted" });
    const image = { ...small, resample: "none" } as unknown as typeof small;
    using broken = new LoadingPool({ ...source, image }, 1);
    await assert.rejects(pixelsOf(broken, images[0]!), /TypeError/);
    using lost = new LoadingPool({ ...source, tokenizer: { folder: "/nowhere" } }, 1);
    await assert.rejects(pixelsOf(lost, images[0]!), /\/nowhere/);
  });

  test("loads a row with its images in one job", async () => {
    const turn = (from: "human" | "gpt", value: string) => ({ from, value });
    const row: LlavaRow = {
      id: "two",
      images: images.slice(0, 2),
      conversations: [turn("human", "<image> <image>"), turn("gpt", "same")],
    };
    const request = { folder, rows: [row], images: row.images };
    using pool = new LoadingPool(source, 1);
    const [there, expected] = [await pool.load(request), await here.load(request)];
    assert.deepEqual(there, expected);
    const [encoded] = there.rows;
    assert.ok(encoded !== undefined && !(encoded instanceof RowError));
    assert.deepEqual(
      encoded.imagePositions.map(({ length }) => length),
      [9, 9],
    );
    assert.equal(there.pixels.length, 2);
  });
});

describe("rows that a pool of threads encodes", () => {
  const turn = (from: "human" | "gpt", value: string) => ({ from, value });
  const question = turn("human", "<image>\nWhat is this?");
  const rows: LlavaRow[] = [
    { id: "short", images: [{ name: "a.jpg" }], conversations: [question, turn("gpt", "a dog")] },
    {
      id: "turns",
      images: [{ name: "a.jpg" }],
      conversations: [question, turn("gpt", "a dog"), turn("human", "Where?"), turn("gpt", "at the door")],
    },
    {
      id: "text",
      images: [],
      conversations: [turn("human", "Hello, \u00e9t\u00e9 \u{1f600}"), turn("gpt", "Hello.")],
    },
    {
      id: "two",
      images: [{ name: "a.jpg" }, { name: "b.jpg" }],
      conversations: [turn("human", "<image> <image>"), turn("gpt", "same")],
    },
    {
      id: "order",
      images: [],
      conversations: [turn("human", "Hello"), turn("human", "Hello?")],
      origin: "rows.json, row 7",
    },
    { id: "count", images: [], conversations: [question, turn("gpt", "a dog")] },
    {
      id: "marked",
      images: [],
      conversations: [turn("human", "Hello"), turn("gpt", "Hello </s> <|im_end|> there")],
    },
    {
      id: "cut",
      images: [],
      conversations: [
        turn("human", "Hello"),
        turn("gpt", "Hello."),
        turn("human", "the dog ".repeat(600)),
        turn("gpt", "dog"),
      ],
    },
    {
      id: "long",
      images: [],
      conversations: [turn("human", "the dog ".repeat(600)), turn("gpt", "the door")],
    },
  ];
  const chat =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' }}{% endfor %}";
  const sources: Record<string, () => Promise<ProcessorSource>> = {
    "a folder's tokenizer, a named template": async () =>
      sourceWithoutModel({ folder: tokenizer }, { name: "v1", chatTemplate: chat }, 9),
    "a folder's tokenizer, another end of answers": async () =>
      sourceWithoutModel({ folder: tokenizer }, { name: "plain", answerEnd: "</s>" }, 9),
    "a GGUF file's tokenizer and chat template": async () =>
      sourceWithoutModel({ metadata: await ggufMetadata("smollm", "smollm") }, { chatTemplate: chat }, 9),
  };
  for (const [name, open] of Object.entries(sources))
    for (const truncates of [true, false])
      test(`are those of encoding here: ${name}, too long rows ${truncates ? "cut" : "refused"}`, async () => {
        const rules: RowRules = { turnMarks: "refuse", maxTokens: 500, truncates };
        const source = await open();
        const processor = await openProcessor(source);
        const request = { folder, images: [], rows, rules };
        const expected = (await rowLoaderHere(processor).load(request)).rows;
        const kinds = expected.map((each) => (each instanceof RowError ? each.problem : "encoded"));
        assert.deepEqual(kinds.slice(0, 6), [
          "encoded",
          "encoded",
          "encoded",
          "encoded",
          "turns",
          "placeholders",
        ]);
        assert.deepEqual(kinds.slice(-2), [truncates ? "encoded" : "long", "long"]);
        for (const workers of [1, 2]) {
          using pool = new LoadingPool(source, workers);
          const bytes = new Uint8Array(8);
          const withBytes = rows.map((row) => ({
            ...row,
            images: row.images.map(({ name }) => ({ name, bytes })),
          }));
          const loaded = await Promise.all(withBytes.map((row) => pool.load({ ...request, rows: [row] })));
          assert.equal(bytes.length, 8, "what the images are made of stays here");
          for (const [i, each] of loaded.flatMap((one) => one.rows).entries()) {
            const other = expected[i]!;
            if (other instanceof RowError) assert.deepEqual(told(each), told(other));
            else assert.deepEqual(each, other);
          }
        }
      });
});
