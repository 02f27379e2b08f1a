// Pixels and ids from other threads: npm test -- src/data/loading
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { ggufMetadata } from "../../../test/support/gguf-metadata.ts";
import { LlavaError } from "../../errors.ts";
import { clipImageConfig, type PixelValues } from "../../processing/image/index.ts";
import { type ProcessorSource, sourceWithoutModel } from "../../processing/processor/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import { LoadingPool } from "./loading-pool.ts";
import { type PixelSource, pixelsHere } from "./pixel-loader.ts";
import { type EncodingSource, openEncoder } from "./row-encoder.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-pixels-"));
after(() => rmSync(folder, { recursive: true }));

const processor = clipImageConfig(28, "pad");
const photos = await Promise.all(
  Array.from({ length: 9 }, (_, i) => {
    const data = Uint8Array.from({ length: 40 * (20 + i) * 3 }, (_, at) => (at * (i + 7)) % 251);
    return sharp(data, { raw: { width: 40, height: 20 + i, channels: 3 } })
      .jpeg()
      .toBuffer();
  }),
);
const sources = photos.map((bytes, i): PixelSource => {
  const where = join(folder, `${i}.jpg`);
  if (i % 2 === 0) return { image: bytes, where };
  writeFileSync(where, bytes);
  return { image: where, where };
});
const bytesOf = (pixels: PixelValues | LlavaError): string => {
  assert.ok(!(pixels instanceof LlavaError));
  return `${pixels.width}×${pixels.height} ${Buffer.from(pixels.data.buffer).toString("base64")}`;
};

describe("a pool of threads", () => {
  test("gives the pixels of loading here, for any number of threads", async () => {
    const here = await Promise.all(sources.map((source) => pixelsHere(processor).load(source)));
    for (const workers of [1, 2, 3]) {
      using pool = new LoadingPool({ processor }, workers);
      const loaded = await Promise.all(sources.map((source) => pool.load(source)));
      assert.deepEqual(loaded.map(bytesOf), here.map(bytesOf));
      assert.deepEqual(bytesOf(await pool.load(sources[0]!)), bytesOf(here[0]!));
    }
  });

  test("shows transparent pixels as the processor says", async () => {
    const background = { r: 0, g: 0, b: 0, alpha: 0 };
    const image = await sharp({ create: { width: 4, height: 4, channels: 4, background } })
      .png()
      .toBuffer();
    const source = { image, where: "clear.png" };
    const first = async (transparency: "drop" | "white") => {
      using pool = new LoadingPool({ processor: { ...processor, transparency } }, 1);
      const pixels = await pool.load(source);
      assert.ok(!(pixels instanceof LlavaError));
      return pixels.data[0]!.toFixed(2);
    };
    assert.deepEqual([await first("drop"), await first("white")], ["-1.79", "1.93"]);
  });

  test("tells of images that cannot be decoded as loading here does", async () => {
    using pool = new LoadingPool({ processor }, 1);
    const bad = [
      { image: join(folder, "none.jpg"), where: "none.jpg" },
      { image: Buffer.from("text"), where: "text.jpg" },
      { image: photos[0]!.subarray(0, 300), where: "cut.jpg" },
    ];
    for (const source of bad) {
      const [there, here] = [await pool.load(source), await pixelsHere(processor).load(source)];
      assert.ok(there instanceof LlavaError && here instanceof LlavaError);
      assert.deepEqual([there.code, there.message, there.hint], [here.code, here.message, here.hint]);
    }
  });

  test("that is stopped or breaks down leaves nobody waiting", async () => {
    const pool = new LoadingPool({ processor }, 1);
    const waiting = sources.map((source) => pool.load(source));
    pool[Symbol.dispose]();
    for (const each of waiting) await assert.rejects(each, { code: "aborted" });
    using broken = new LoadingPool(
      { processor: { ...processor, resample: "none" } as unknown as typeof processor },
      1,
    );
    await assert.rejects(broken.load(sources[0]!), /TypeError/);
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
  const folder = fileURLToPath(new URL("../../../test/fixtures/tokenizer/llama2", import.meta.url));
  const chat =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' }}{% endfor %}";
  const sources: Record<string, () => Promise<ProcessorSource>> = {
    "a folder's tokenizer, a named template": async () =>
      sourceWithoutModel({ folder }, { name: "v1", chatTemplate: chat }, 9),
    "a folder's tokenizer, another end of answers": async () =>
      sourceWithoutModel({ folder }, { name: "plain", answerEnd: "</s>" }, 9),
    "a GGUF file's tokenizer and chat template": async () =>
      sourceWithoutModel({ metadata: await ggufMetadata("smollm", "smollm") }, { chatTemplate: chat }, 9),
  };
  for (const [name, open] of Object.entries(sources))
    for (const truncates of [true, false])
      test(`are those of encoding here: ${name}, too long rows ${truncates ? "cut" : "refused"}`, async () => {
        const encoding: EncodingSource = {
          processor: await open(),
          rules: { turnMarks: "refuse", maxTokens: 500, truncates },
        };
        const here = await openEncoder(encoding);
        const expected = await Promise.all(rows.map((row) => here.encode(row)));
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
          using pool = new LoadingPool({ processor, encoding }, workers);
          const bytes = new Uint8Array(8);
          const encoded = await Promise.all(
            rows.map((row) =>
              pool.encode({ ...row, images: row.images.map(({ name }) => ({ name, bytes })) }),
            ),
          );
          assert.equal(bytes.length, 8, "what the images are made of stays here");
          for (const [i, each] of encoded.entries()) {
            const other = expected[i]!;
            assert.equal(each instanceof RowError, other instanceof RowError);
            if (!(each instanceof RowError && other instanceof RowError)) assert.deepEqual(each, other);
            else
              assert.deepEqual(
                [each.problem, each.message, each.hint],
                [other.problem, other.message, other.hint],
              );
          }
        }
      });

  test("need a pool that was told how", async () => {
    using pool = new LoadingPool({ processor }, 1);
    await assert.rejects(pool.encode(rows[0]!), /not told how rows are encoded/);
    using lost = new LoadingPool(
      {
        processor,
        encoding: {
          processor: sourceWithoutModel({ folder: "/nowhere" }, { name: "v1" }, 9),
          rules: { turnMarks: "refuse", maxTokens: 500, truncates: true },
        },
      },
      1,
    );
    await assert.rejects(lost.encode(rows[0]!), /\/nowhere/);
  });
});
