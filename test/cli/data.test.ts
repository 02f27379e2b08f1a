// llava data check and inspect, end to end: npm test -- test/cli/data.test.ts
import assert from "node:assert/strict";
import { existsSync, readFileSync, truncateSync } from "node:fs";
import { describe, test } from "node:test";
import sharp from "sharp";
import { llava } from "../support/cli.ts";
import { file, fixtures, inFolder } from "../support/refusals.ts";
import { writeTar } from "../support/tar.ts";

const row = (id: string, image: string | undefined, answer: string) => ({
  id,
  ...(image !== undefined && { image }),
  conversations: [
    { from: "human", value: image === undefined ? "a" : "<image>\na" },
    { from: "gpt", value: answer },
  ],
});
const photo = await sharp({ create: { width: 32, height: 24, channels: 3, background: "#336699" } })
  .jpeg()
  .toBuffer();
const tokenizer = ["--tokenizer", `${fixtures}tokenizer/llama2`, "--template", "v1", "--image-tokens", "5"];

file("good.jpg", photo);
file("cut.jpg", photo.subarray(0, photo.length / 2));
const rows = file(
  "rows.json",
  JSON.stringify([
    row("good", "good.jpg", "the dog"),
    row("again", "good.jpg", "the dog runs"),
    row("text", undefined, "the dog"),
    row("cut", "cut.jpg", "the dog"),
    row("gone", "gone.jpg", "the dog"),
    row("mark", undefined, "the dog</s>USER: x"),
    row("long", undefined, "the dog ".repeat(200)),
    { id: "odd", conversations: [{ from: "gpt", value: "a" }] },
  ]),
);

describe("data check", () => {
  test("counts what is there and what is wrong, and names it", async () => {
    const plot = inFolder("lengths.svg");
    const arguments_ = ["data", "check", rows, "--images", inFolder(""), ...tokenizer];
    const { status, stdout, stderr } = await llava([
      ...arguments_,
      "--max-tokens",
      "200",
      "--plot",
      plot,
      "--json",
    ]);
    assert.equal(status, 1, stderr);
    assert.match(stderr, /5 problems in .*rows\.json/);
    const report = JSON.parse(stdout);
    const bySource = new Map(report.sources.map((source: { source: string }) => [source.source, source]));
    const photos = bySource.get("rows.json") as Record<string, unknown>;
    const texts = bySource.get("rows.json: text") as Record<string, unknown>;
    assert.deepEqual(photos["problems"], { broken: 1, missing: 1 });
    assert.deepEqual(texts["problems"], { marks: 1, long: 1, turns: 1 });
    const counts = (source: Record<string, unknown>) =>
      ["rows", "usable", "textOnly", "images", "missingImages", "brokenImages"].map((name) => source[name]);
    assert.deepEqual(counts(photos), [4, 2, 0, 3, 1, 1]);
    assert.deepEqual(counts(texts), [4, 1, 4, 0, 0, 0]);
    const messages = report.problems.map(({ message }: { message: string }) =>
      message.replaceAll(`${inFolder("")}/`, ""),
    );
    const expected = [
      /^rows\.json: row 4 \(id cut\): cut\.jpg: a JPEG image with a damaged header/,
      /^rows\.json: row 5 \(id gone\): gone\.jpg does not exist$/,
      /^rows\.json: row 6 \(id mark\): the answer in turn 2 holds "<\/s>"/,
      /^rows\.json: row 7 \(id long\): \d+ tokens, more than 200$/,
      /^rows\.json: row 8 \(id odd\): it has no question with an answer$/,
    ];
    assert.equal(messages.length, expected.length);
    for (const [index, pattern] of expected.entries()) assert.match(messages[index], pattern);
    assert.match(readFileSync(plot, "utf8"), /longest taken 200/);
  });

  test("stops at the first problem where it is told to", async () => {
    const { status, stderr } = await llava([
      "data",
      "check",
      rows,
      "--images",
      inFolder(""),
      "--on-problem",
      "fail",
    ]);
    assert.equal(status, 1);
    assert.match(stderr, /row 4 \(id cut\)/);
    assert.doesNotMatch(stderr, /id gone/);
  });

  test("reads shards, and says where one is cut short", async () => {
    const files = Object.fromEntries(
      ["a", "b", "c"].flatMap((id) => [
        [`${id}.jpg`, photo],
        [`${id}.txt`, `the dog ${id}`],
      ]),
    );
    const shard = await writeTar(inFolder("shard.tar"), files);
    const whole = await llava(["data", "check", shard, ...tokenizer, "--json"]);
    assert.equal(whole.status, 0, whole.stderr);
    const [source] = JSON.parse(whole.stdout).sources;
    assert.deepEqual([source.rows, source.images, source.tokens.image], [3, 3, 15]);
    truncateSync(shard, 3000);
    const cut = await llava(["data", "check", shard, ...tokenizer]);
    assert.equal(cut.status, 1);
    assert.match(cut.stdout, /shard\.tar: damaged or cut short after \d files, the last \w\.(jpg|txt)/);
  });
});

describe("data inspect", () => {
  test("shows what is trained, in colour or between marks, and the ids", async () => {
    const inspect = ["data", "inspect", rows, ...tokenizer];
    const plain = await llava([...inspect, "--count", "2", "--ids"], { env: { NO_COLOR: "1" } });
    assert.equal(plain.status, 0, plain.stderr);
    assert.match(
      plain.stdout,
      /rows\.json: row 1 id good; \d+ tokens, \d trained; images: good\.jpg \(5 tokens\)/,
    );
    assert.match(plain.stdout, /USER: <image ×5> \na ASSISTANT:⟦ the dog<\/s>⟧/);
    assert.match(plain.stdout, / -200×5 .*⟦[\d ]+ 2⟧/);
    const coloured = await llava([...inspect, "--count", "1"], { env: { FORCE_COLOR: "1" } });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
    assert.match(coloured.stdout, /ASSISTANT:\x1b\[32m the dog<\/s>\x1b\[39m/);
  });

  test("prints ids and labels as JSON lines for the rows asked for", async () => {
    const { status, stdout } = await llava(["data", "inspect", rows, ...tokenizer, "--id", "text", "--json"]);
    assert.equal(status, 0);
    const { id, inputIds, labels } = JSON.parse(stdout);
    assert.equal(id, "text");
    const trained = labels.filter((label: number) => label !== -100);
    assert.deepEqual(inputIds.slice(-trained.length), trained);
    assert.equal(trained.at(-1), 2);
  });

  test("names rows that cannot be used, or are not there", async () => {
    const marked = await llava(["data", "inspect", rows, ...tokenizer, "--id", "mark"]);
    assert.equal(marked.status, 1);
    assert.match(marked.stdout, /\(id mark\): the answer in turn 2 holds/);
    const kept = await llava(["data", "inspect", rows, ...tokenizer, "--id", "mark", "--keep-marks"]);
    assert.equal(kept.status, 0);
    const none = await llava(["data", "inspect", rows, ...tokenizer, "--id", "nobody"]);
    assert.match(none.stderr, /has no row with the id nobody/);
    const bare = await llava(["data", "inspect", rows]);
    assert.match(bare.stderr, /takes a tokenizer and a template/);
    assert.ok(!existsSync(inFolder("nobody")));
  });
});

test("check and inspect tell where answers will not stop, and what to set", async () => {
  const fine = file("fine.json", JSON.stringify([row("text", undefined, "the dog")]));
  for (const command of ["check", "inspect"]) {
    const of = async (...options: readonly string[]) => {
      const { status, stderr, stdout } = await llava(["data", command, fine, ...options]);
      assert.equal(status, 0, stderr);
      return { stderr, stdout };
    };
    const plain = ["--tokenizer", `${fixtures}tokenizer/llama2`, "--template", "plain"];
    assert.match((await of(...plain)).stderr, /plain ends answers with .* set data\.answerEnd to "<\/s>"/);
    assert.doesNotMatch((await of(...plain, "--answer-end", "</s>")).stderr, /ends answers/);
    const own = await of("--model", `${fixtures}llava/llama`);
    assert.match(own.stderr, /ends answers with nothing: training puts "<\/s>" behind each/);
    if (command === "inspect") assert.match(own.stdout, /the dog<\/s>⟧/);
  }
});
