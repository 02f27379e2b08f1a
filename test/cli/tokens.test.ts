// llava tokens: npm test -- test/cli/tokens.test.ts
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { llava } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const fixtures = fileURLToPath(new URL("../fixtures/llava-next/", import.meta.url));
const folder = temporaryFolder("llava-tokens");
mkdirSync(join(folder, "home"));
const env = { LLAVA_HOME: join(folder, "home"), LIBTORCH: folder, PATH: folder };

/** A checkpoint without weights, with the sizes of LLaVA-NeXT's tower and some fields changed. */
function model(name: string, change: (config: Record<string, unknown>) => object): string {
  const path = join(folder, `${name}-${Math.random()}`);
  cpSync(join(fixtures, name), path, { recursive: true, filter: (file) => !file.endsWith(".safetensors") });
  const file = join(path, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...config, ...change(config) }));
  return path;
}

const ask = (args: readonly string[]) => llava(["tokens", ...args], { env });

describe("llava tokens", () => {
  test("counts what transformers counts, of files and of sizes, without weights and libtorch", async () => {
    const path = model("llama", () => ({}));
    const image = join(fixtures, "images/wide.png");
    const { status, stdout, stderr } = await ask([
      image,
      "--size",
      "97x31",
      "--size",
      "1x1",
      "--model",
      path,
      "--json",
    ]);
    assert.equal(status, 0, stderr);
    const { images, total, left, contextLength } = JSON.parse(stdout);
    const counts = images.map(
      ({
        tokens,
        counts: { overview, tiles, newlines },
      }: {
        tokens: number;
        counts: Record<string, number>;
      }) => [tokens, overview, tiles, newlines],
    );
    // 97×31 on 84×28: six columns and two rows of two by two features a tile.
    assert.deepEqual(counts, [
      [18, 4, 12, 2],
      [18, 4, 12, 2],
      [10, 4, 4, 2],
    ]);
    assert.deepEqual([total, left], [46, contextLength - 46]);
  });

  test("tells people canvas, parts and what is left, and draws the tiles", async () => {
    const drawing = join(folder, "tiles.svg");
    const { stdout, stderr, status } = await ask([
      join(fixtures, "images/tall.png"),
      "--model",
      model("original", () => ({})),
      "--draw",
      drawing,
    ]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /40×71: \d+ tokens\n {2}resized to fit 56×56, 2 columns and 4 rows/);
    assert.match(stdout, /4 of the whole image \+ 8 of 2×2 tiles \+ 4 newlines/);
    assert.match(stdout, /\d+ of the model's context of 256 left for text/);
    const svg = readFileSync(drawing, "utf8");
    assert.equal(svg.match(/<rect [^>]*stroke="#ff3b6b"/g)?.length, 4);
    assert.match(svg, /href="data:image\/png;base64,/);
  });

  const bad: Record<string, [string, object, RegExp]> = {
    "a merge type that is none": [
      "original",
      { mm_patch_merge_type: "unires" },
      /mm_patch_merge_type "unires" is not supported/,
    ],
    crop_split: [
      "original",
      { image_aspect_ratio: "crop_split" },
      /image_aspect_ratio "crop_split" is not supported/,
    ],
    "pinpoints that the tower does not fit": [
      "original",
      { image_grid_pinpoints: [[56, 50]] },
      /image_grid_pinpoints has 56×50/,
    ],
    "pinpoints that are none": [
      "original",
      { image_grid_pinpoints: "wide" },
      /image_grid_pinpoints is "wide"/,
    ],
    "no pinpoints": ["original", { image_grid_pinpoints: null }, /image_grid_pinpoints is missing/],
    "another list than the image processor's": [
      "llama",
      { image_grid_pinpoints: [[28, 28]] },
      /processor_config.json: image_grid_pinpoints is \[\[28,56\]/,
    ],
  };
  for (const [name, [base, fields, message]] of Object.entries(bad))
    test(`refuses in one line: ${name}`, async () => {
      const { status, stderr } = await ask(["--size", "9x9", "--model", model(base, () => fields)]);
      assert.equal(status, 1);
      assert.match(stderr, message);
    });

  test("counts LLaVA-OneVision's as both codes do, and several images of a prompt as padded ones", async () => {
    const sides = [1, 2, 3, 4, 5, 6].map((tiles) => 384 * tiles);
    const pinpoints = sides.flatMap((first) => sides.map((second) => [first, second]));
    const path = model("../families/onevision", ({ vision_config: vision }) => ({
      vision_config: { ...(vision as object), image_size: 384, patch_size: 14 },
      image_grid_pinpoints: pinpoints,
    }));
    const file = join(path, "processor_config.json");
    const { image_processor: images, ...rest } = JSON.parse(readFileSync(file, "utf8"));
    const size = { width: 384, height: 384 };
    const changed = { ...rest, image_processor: { ...images, size, image_grid_pinpoints: pinpoints } };
    writeFileSync(file, JSON.stringify(changed));
    const sizes = ["640x480", "480x640", "1920x1080", "384x384"].flatMap((each) => ["--size", each]);
    const counts = async (...more: string[]) => {
      const { status, stdout, stderr } = await ask([...sizes, ...more, "--model", path, "--json"]);
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout).images.map(({ tokens }: { tokens: number }) => tokens);
    };
    assert.deepEqual(await counts(), [2929, 2943, 7269, 1485]);
    assert.deepEqual(await counts("--together"), [730, 730, 730, 730]);
  });

  test("reads pinpoints that are written as text", async () => {
    for (const pinpoints of ["(1x1),...,(2x2)", "[(28, 28), (28, 56), (56, 28), (56, 56)]"]) {
      const path = model("original", () => ({
        image_grid_pinpoints: pinpoints,
        image_aspect_ratio: "anyres_max_2",
      }));
      const { stdout, stderr } = await ask(["--size", "60x60", "--model", path, "--json"]);
      assert.equal(JSON.parse(stdout || stderr).images[0].tokens, 4 + 2 * 2 + 2);
    }
  });
});
