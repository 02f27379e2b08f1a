// llava data check and inspect, end to end: npm test -- test/cli/data.test.ts
import assert from "node:assert/strict";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { parquetWriteFile } from "hyparquet-writer";
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

describe("rows about videos", () => {
  const clip = `${fixtures}video/moving.gif`;
  file("notes.mp4", "no video");
  const about = (id: string, video: string) => ({ ...row(id, undefined, "the dog"), video });
  const asked = (id: string, video: string) => ({
    ...about(id, video),
    conversations: [
      { from: "human", value: "<video>\na" },
      { from: "gpt", value: "the dog" },
    ],
  });
  const clips = file(
    "clips.json",
    JSON.stringify([
      asked("good", clip),
      asked("frames", `${fixtures}video/frames`),
      asked("words", "notes.mp4"),
      asked("gone", "gone.mp4"),
      about("unmarked", clip),
    ]),
  );
  const model = `${fixtures}llava-next-video/max`;

  test("are counted with their tokens, and what is wrong with them is named", async () => {
    const check = ["data", "check", clips, "--images", inFolder(""), "--json"];
    const { status, stdout } = await llava([...check, "--model", model]);
    assert.equal(status, 1);
    const { sources, problems } = JSON.parse(stdout);
    const total = (of: string) =>
      sources.reduce((sum: number, one: Record<string, number>) => sum + one[of]!, 0);
    assert.deepEqual(
      ["rows", "usable", "videos", "images", "missingImages", "brokenImages"].map(total),
      [5, 2, 4, 0, 1, 1],
    );
    assert.deepEqual(problems.map(({ problem }: { problem: string }) => problem).sort(), [
      "broken",
      "missing",
      "placeholders",
    ]);
    const alone = await llava([...check, ...tokenizer]);
    assert.equal(JSON.parse(alone.stdout).sources[0].usable + JSON.parse(alone.stdout).sources[1].usable, 2);
  });

  test("are shown as the model sees them", async () => {
    const inspect = ["data", "inspect", clips, "--model", model, "--id", "frames"];
    const { status, stdout, stderr } = await llava(inspect);
    assert.equal(status, 0, stderr);
    // 32 frames of four tokens, whatever there is; three of them are repeated.
    assert.match(stdout, /images: video .*frames \(128 tokens\)/);
  });
});

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

describe("data check tells", () => {
  const check = async (name: string, ...more: string[]) => {
    const { status, stdout, stderr } = await llava([
      "-q",
      "data",
      "check",
      inFolder(name),
      "--images",
      inFolder(""),
      ...more,
    ]);
    return {
      status,
      text: stdout.replaceAll(`${inFolder("")}/`, ""),
      stderr: stderr.replaceAll(`${inFolder("")}/`, ""),
    };
  };

  test("of transparent images and how they are read, and of fields that are not read", async () => {
    const clear = await sharp({ create: { width: 4, height: 4, channels: 4, background: "#00000000" } })
      .png()
      .toBuffer();
    writeFileSync(inFolder("clear.png"), clear);
    const rows = [
      { ...row("clear", "clear.png", "the dog"), score: Number.NaN, source: "web" },
      row("good", "good.jpg", "the dog"),
    ];
    writeFileSync(inFolder("clear.json"), JSON.stringify(rows).replace('"score":null', '"score":NaN'));
    const dropped = await check("clear.json");
    assert.equal(dropped.status, 0, dropped.stderr);
    assert.match(
      dropped.text,
      /1 rows: an image with transparent pixels, read by "drop" .*; 1 of them would look otherwise by "white"/,
    );
    assert.match(dropped.text, /fields that are not read: score \(1 rows\)\n/);
    assert.match((await check("clear.json", "--transparency", "white")).text, /read by "white" .* by "drop"/);
    const { sources, unusedFields, transparency } = JSON.parse((await check("clear.json", "--json")).text);
    assert.deepEqual([sources[0].transparentRows, sources[0].changedRows], [1, 1]);
    assert.deepEqual([unusedFields, transparency], [{ score: 1 }, "drop"]);
  });

  test("of files that macOS adds to archives, which are no rows", async () => {
    const files = {
      "._a.jpg": "x",
      ".DS_Store": "x",
      "a.jpg": photo,
      "a.txt": "the dog",
      "__MACOSX/._a.jpg": "x",
    };
    await writeTar(inFolder("mac.tar"), files);
    const { status, text, stderr } = await check("mac.tar", "--json");
    assert.equal(status, 0, stderr);
    const { sources, ignoredFiles } = JSON.parse(text);
    assert.deepEqual([sources.length, sources[0].rows, sources[0].usable], [1, 1, 1]);
    assert.deepEqual(ignoredFiles, ["mac.tar/._a.jpg", "mac.tar/.DS_Store", "mac.tar/__MACOSX/._a.jpg"]);
  });

  test("of a file without rows, and of one that is something else", async () => {
    for (const [name, content, message] of [
      ["none.json", "[]", /none\.json: holds no rows/],
      ["rows.zip", "PK\x03\x04", /rows\.zip: is a zip archive, expected rows as JSON/],
      ["page.json", "<!doctype html>", /page\.json: is an HTML page, expected rows as JSON/],
    ] as const) {
      writeFileSync(inFolder(name), content);
      const { status, text } = await check(name);
      assert.equal(status, 1);
      assert.match(text, message);
    }
  });

  test("nothing wrong of parquet rows that name their images", async () => {
    const conversations = JSON.stringify(row("", undefined, "the dog").conversations);
    parquetWriteFile({
      filename: inFolder("names.parquet"),
      columnData: [
        { name: "image", data: ["good.jpg", null, "gone.jpg"] },
        {
          name: "conversations",
          data: ["<image>the", "the", "<image>the"].map((value) =>
            conversations.replace(/"value":"[^"]*"/, `"value":"${value}"`),
          ),
        },
      ],
    });
    const { status, text } = await check("names.parquet");
    assert.equal(status, 1);
    assert.match(text, /^1 rows: image or video missing$/m);
    assert.match(
      text,
      /names\.parquet: row 3 \(id .*\): gone\.jpg does not exist|names\.parquet: row 3.*gone\.jpg does not exist/,
    );
    assert.match(text, /names\.parquet +2 +1 /);
    assert.match(text, /names\.parquet: text +1 +1 +1 /);
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

test("pairs of answers are checked and shown by both sides, and each that cannot be used is told in a line", async () => {
  const pair = (id: string, chosen: string, rejected: string, image?: string) => ({
    ...{ id, prompt: "a", chosen, rejected },
    ...(image && { image }),
  });
  const pairs = file(
    "pairs.jsonl",
    [
      pair("fine", "the dog", "the dog runs", "good.jpg"),
      pair("equal", "the dog", "the dog"),
      pair("empty", "the dog", ""),
      pair("gone", "the", "dog", "gone.jpg"),
      pair("one-side", "the", "<image> dog", "good.jpg"),
      pair("long", "the", "dog ".repeat(200)),
    ]
      .map((each) => JSON.stringify(each))
      .join("\n"),
  );
  const checked = await llava([
    ...["data", "check", pairs, "--images", inFolder(""), ...tokenizer, "--max-tokens", "200", "--json"],
  ]);
  assert.equal(checked.status, 1);
  const { problems, sources } = JSON.parse(checked.stdout);
  const told = problems.map(({ problem, message }: { problem: string; message: string }) => [
    problem,
    /id (\S+)\):/.exec(message)?.[1],
  ]);
  assert.deepEqual(told.sort(), [
    ["equal", "equal"],
    ["form", "empty"],
    ["long", "long"],
    ["missing", "gone"],
    ["placeholders", "one-side"],
  ]);
  const sum = (of: string) => sources.reduce((all: number, one: Record<string, number>) => all + one[of]!, 0);
  assert.deepEqual([sum("pairs"), sum("usable")], [5, 1]);
  assert.ok(sum("rejectedTokens") > sum("chosenTokens"));
  const shown = await llava(["data", "inspect", pairs, ...tokenizer, "--id", "fine"]);
  assert.match(
    shown.stdout,
    /id fine; chosen; .* trained[\s\S]*⟦ the dog<\/s>⟧[\s\S]*id fine; rejected;[\s\S]*⟦ the dog runs<\/s>⟧/,
  );
});
