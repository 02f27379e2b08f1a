// What users get wrong, through the command line: npm test -- test/cli/bad-input.test.ts
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { llava, llavaHere } from "../support/cli.ts";
import { drawSquares } from "../support/coloured-squares.ts";
import {
  ask,
  assertTold,
  file,
  folder,
  goodModel,
  inFolder,
  listing,
  photo,
  refused,
} from "../support/refusals.ts";
import { writeTar } from "../support/tar.ts";

/** The photo, with other numbers in its header. */
function resizedHeader(width: number, height: number): Buffer {
  const bytes = readFileSync(photo);
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
  return bytes;
}

describe("an image", () => {
  const cases: [what: string, image: () => string, ...expected: RegExp[]][] = [
    ["that is cut short", () => file("cut.png", readFileSync(photo).subarray(0, 200)), /cut\.png/],
    [
      "whose middle is damaged",
      () => {
        const bytes = readFileSync(photo);
        return file("noise.png", bytes.fill(0x55, bytes.length >> 1, (bytes.length >> 1) + 40));
      },
      /noise\.png/,
    ],
    ["of 60,000 × 60,000", () => file("huge.png", resizedHeader(60_000, 60_000)), /60000×60000.*100000000/],
    ["that is text", () => file("text.jpg", "Dear diary"), /text\.jpg.*Dear diary/],
    ["that is empty", () => file("empty.jpg", ""), /empty\.jpg.*empty/],
    ["that does not exist", () => inFolder("nowhere.jpg"), /nowhere\.jpg: no such file/],
    ["that is a folder", () => folder, /is a directory/],
    ["at a private address", () => "http://127.0.0.1:9/a.png", /127\.0\.0\.1.*not a public address/],
    ["at a private address in IPv6", () => "http://[::1]:9/a.png", /::1.*not a public address/],
  ];
  for (const [what, image, ...expected] of cases)
    test(what, () => refused(ask(goodModel, "--image", image()), 1, ...expected));
});

describe("a prompt", () => {
  test("with more placeholders than images", () =>
    refused(
      ["generate", goodModel, "--raw", "--prompt", "<image><image>", "--image", photo],
      1,
      /2 <image> placeholders but 1 image/,
    ));
  test("with fewer", () =>
    refused(["generate", goodModel, "--raw", "--prompt", "Hi", "--image", photo], 1, /0 <image>.* 1 image/));
  test("that is longer than the context", () =>
    refused(["generate", goodModel, "--prompt", "x ".repeat(300)], 1, /prompt has \d+ tokens.*256/));
});

describe("an option", () => {
  const cases: [args: string[], status: number, ...expected: RegExp[]][] = [
    [["--dtype", "int8"], 2, /int8.*float32/],
    [
      ["--image", photo, "--max-pixels", "10"],
      1,
      /wide\.png: \d+×\d+ is \d+ pixels, the limit is 10[\s\S]*--max-pixels/,
    ],
    [["--image", photo, "--max-bytes", "10"], 1, /wide\.png: \d+ bytes, the limit is 10[\s\S]*--max-bytes/],
    [["--template", "nonsense"], 1, /"nonsense"[\s\S]*vicuna_v1/],
    [["--device", "cuda"], 1, /cuda/],
    [["--device", "tpu"], 2, /tpu/],
    [["--temperature", "-1"], 2, /--temperature.*-1/],
    [["--top-p", "2"], 2, /--top-p.*2/],
    [["--min-p", "-0.1"], 2, /--min-p.*-0\.1/],
    [["--repetition-penalty", "0"], 2, /--repetition-penalty.*0/],
    [["--top-k", "1.5"], 2, /--top-k.*1\.5/],
    [["--max-tokens", "0"], 2, /--max-tokens.*0/],
    [["--threads", "0"], 2, /--threads.*0/],
    [["--batch-size", "0"], 2, /--batch-size.*0/],
    [["--input", "nowhere.jsonl"], 1, /nowhere\.jsonl/],
  ];
  for (const [args, status, ...expected] of cases)
    test(args.join(" "), () => refused([...ask(goodModel), ...args], status, ...expected));
});

describe("a file of prompts", () => {
  test("that is not UTF-8", () => {
    const rows = Buffer.from('{"prompt": "tea"}\n{"prompt": "café"}\n', "latin1");
    return refused(
      ["generate", goodModel, "--input", file("latin.jsonl", rows)],
      1,
      /latin\.jsonl:2: not UTF-8/,
    );
  });

  test("one of whose rows is bad: the others are answered, the bad one is told", async () => {
    const rows = ['{"id": "a", "prompt": "Hi"}', '{"id": "b", "prompt": 3}', '{"id": "c", "prompt": "Ho"}'];
    const path = file("rows.jsonl", rows.join("\n"));
    const args = ["--quiet", "generate", goodModel, "--input", path, "--json", "--max-tokens", "2"];
    const outcome = await llava(args);
    const printed = outcome.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      printed.map(({ id }) => id),
      ["a", 2, "c"],
    );
    assert.deepEqual(
      printed.map(({ error }) => error?.code),
      [undefined, "data", undefined],
    );
    assertTold(outcome, 1);
    assert.match(outcome.stderr, /1 of 3 prompts failed, the first is 2: .*rows\.jsonl:2: prompt: /);
  });
});

const trace = (out: string): string[] => ["trace", goodModel, "--prompt", "Hi", "--out", out];

describe("an output", () => {
  test("in a folder that does not exist", () =>
    refused(
      trace(inFolder("nowhere/trace.safetensors")),
      2,
      /nowhere.trace\.safetensors: cannot be written: there is no folder/,
    ));
  test("that is a folder", () => refused(trace(folder), 2, /is a folder/));
  test("in a file", () => refused(trace(join(photo, "x")), 2, /wide\.png.x: cannot be written/));
});

describe("training", () => {
  let rows: string;
  const recipe = (name: string, fields: object): string =>
    file(
      `${name}.mjs`,
      `export default ${JSON.stringify({
        model: goodModel,
        data: { template: "plain", answerEnd: "</s>" },
        optimizer: { learningRate: 1e-2 },
        dtype: "float32",
        batchSize: 8,
        maxSteps: 12,
        epochs: 1000,
        ...fields,
      })}`,
    );
  const train = (path: string, ...rest: string[]): string[] => [
    ...["--quiet", "train", path, "--data.rows", rows, "--data.images", folder],
    ...["--output", inFolder("run"), ...rest],
  ];

  before(async () => {
    rows = await drawSquares(folder, "train", 4);
  });

  test("on a device that is not here, or none", async () => {
    await refused(
      train(recipe("device", {}), "--device", "cuda:99"),
      1,
      /device "cuda:99"[\s\S]*llava doctor/,
    );
    await refused(train(recipe("device", {}), "--device", "tpu"), 1, /device: expected cpu, cuda or cuda:N/);
    await refused(train(recipe("device", {}), "--dtype", "half"), 1, /dtype: .*"float32"/);
  });
  test("by a recipe with a misspelt field", () =>
    refused(train(recipe("misspelt", { batchsize: 8 })), 1, /"batchsize"; did you mean "batchSize"/));
  test("with an unknown option", () =>
    refused(train(recipe("plain", {}), "--optimizer.lr", "1"), 1, /"optimizer.lr"/));
  test("by a recipe that is none", () => refused(train(file("no.mjs", "export const a = 1")), 1, /no\.mjs/));
  test("by a recipe that does not parse", () =>
    refused(train(file("syntax.mjs", "export {")), 1, /syntax\.mjs/));
  test("with a value out of its range", () =>
    refused(train(recipe("range", {}), "--batchSize", "0"), 1, /batchSize/));

  const turns = [
    { from: "human", value: "<image>" },
    { from: "gpt", value: "red" },
  ];
  const data: [what: string, content: string | Buffer, ...expected: RegExp[]][] = [
    [
      "an image that is not there",
      JSON.stringify([{ id: 7, image: "gone.png", conversations: turns }]),
      /\(id 7\): .*gone\.png does not exist/,
    ],
    [
      "no image",
      JSON.stringify([{ id: 7, conversations: turns }]),
      /\(id 7\): 1 <image> in its text, but 0 images/,
    ],
    ["other characters", Buffer.from('[{"id": "é"}]', "latin1"), /other characters\.json: row 1: not UTF-8/],
    ["nothing of a row", '[{"id": 7}]', /row 1 \(id 7\): conversations/],
    ["no JSON", '{"id": 7', /no JSON\.json:1: not valid JSON/],
    ["no rows", "[]", /no rows\.json: holds no rows/],
  ];
  for (const [what, content, ...expected] of data)
    test(`on rows with ${what}`, () => {
      const path = file(`${what}.json`, content);
      return refused(train(recipe("good", {}), "--data.rows", path), 1, ...expected);
    });

  test("on a shard that is cut short", async () => {
    const shard = await writeTar(inFolder("cut.tar"), { "a.png": readFileSync(photo), "a.txt": "red" });
    truncateSync(shard, 700);
    await refused(
      train(recipe("good", {}), "--data.rows", shard),
      1,
      /cut\.tar: damaged or cut short at its begin: Unexpected end of data/,
    );
  });

  test("into a file", () =>
    refused(train(recipe("good", {}), "--output", join(photo, "run")), 1, /wide\.png.run/));

  /** A run that has begun leaves its recipe and its log. */
  const begunAndRefused = async (args: readonly string[], expected: RegExp): Promise<void> => {
    const outcome = await llavaHere(args);
    assertTold(outcome, 1);
    assert.match(outcome.stderr, expected);
    const halves = listing(inFolder("begun")).filter((name) => /partial|projector/.test(name));
    assert.deepEqual(halves, []);
    rmSync(inFolder("begun"), { recursive: true });
  };
  const begun = ["--output", inFolder("begun")];

  test("whose loss is not a number", () =>
    begunAndRefused(
      train(recipe("diverging", { optimizer: { learningRate: 1e30 } }), ...begun),
      /step \d+: loss NaN.*rows train-\w+-\d\.png/,
    ));
  test("on an image that is cut short", () => {
    file("cut.png", readFileSync(photo).subarray(0, 200));
    const path = file("cut.json", JSON.stringify([{ id: 7, image: "cut.png", conversations: turns }]));
    return begunAndRefused(
      train(recipe("good", {}), "--data.rows", path, ...begun),
      /cut\.json: row 1 \(id 7\): .*cut\.png: damaged/,
    );
  });

  test("and tracing on a full disk leave no halves", async (context) => {
    const full = inFolder("full");
    mkdirSync(full);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", full], { stdio: "ignore" });
    } catch {
      return context.skip("mounting a small file system takes root");
    }
    try {
      const traced = await llavaHere([
        "trace",
        goodModel,
        "--prompt",
        "Hi ".repeat(60),
        "--out",
        join(full, "a"),
      ]);
      assertTold(traced, 1);
      assert.match(traced.stderr, /full.a: cannot be written: ENOSPC/);
      assert.deepEqual(listing(full), []);
      const run = join(full, "run");
      const trained = await llavaHere(train(recipe("good", {}), "--output", run, "--checkpoint.every", "1"));
      assertTold(trained, 1);
      assert.match(trained.stderr, /full.run.*cannot be written: ENOSPC/);
      assert.deepEqual(
        listing(full).filter((name) => name.includes("partial")),
        [],
      );
    } finally {
      execFileSync("umount", [full]);
    }
  });
});
