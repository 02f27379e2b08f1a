// What rows may look like: npm test -- src/data/rows/parse-row.test.ts
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { RowError } from "../../protocol/index.ts";
import { parseRow } from "./parse-row.ts";

const origin = "mix.json: row 3";
const conversations = [
  { from: "human" as const, value: "<image>\nWhat is this?" },
  { from: "gpt" as const, value: "A bird." },
];
const plain = { id: "a", image: "a.jpg", conversations, origin };
/** The row that `plain` becomes. */
const parsedPlain = { id: "a", images: [{ name: "a.jpg" }], conversations, origin };
const refused = (value: unknown, message: string): void => {
  assert.throws(() => parseRow(value, origin), {
    name: "LlavaError",
    problem: "form",
    message: `${origin}${message}`,
  });
};

describe("a row", () => {
  test("lacks what is null, empty or not there, in any field that it need not have", () => {
    const absent = fc.constantFrom(null, "", undefined, [], [""], [null]);
    const optional = ["id", "image", "images", "video", "videos", "audio", "system", "messages", "score"];
    const fields = fc.dictionary(fc.constantFrom(...optional), absent);
    fc.assert(
      fc.property(fields, (missing) => {
        assert.deepEqual(parseRow({ ...missing, conversations }, origin), {
          id: origin,
          images: [],
          conversations,
          origin,
        });
        const named = Object.fromEntries(
          Object.entries(missing).filter(([name]) => !["id", "image"].includes(name)),
        );
        assert.deepEqual(parseRow({ ...plain, ...named, origin: undefined }, origin), parsedPlain);
      }),
    );
  });

  test("is the same for any order of its fields, with names of those that are not read", () => {
    const unread = fc.dictionary(
      fc.stringMatching(/^[a-z_]{1,8}$/).filter((name) => !(name in plain) && name !== "_id"),
      fc.oneof(fc.integer(), fc.string({ minLength: 1 }), fc.constant({ a: null }), fc.constant(Number.NaN)),
      { noNullPrototype: true },
    );
    const own = Object.entries({ id: 7, images: ["a.jpg"], conversations });
    fc.assert(
      fc.property(unread, fc.infiniteStream(fc.nat(99)), (others, numbers) => {
        const read = new Set(["video", "videos", "audio", "audios", "system", "messages"]);
        const entries = [...own, ...Object.entries(others).filter(([name]) => !read.has(name))];
        const order = new Map(entries.map(([name]) => [name, numbers.next().value]));
        const shuffled = Object.fromEntries(entries.toSorted(([a], [b]) => order.get(a)! - order.get(b)!));
        const { unusedFields = [], ...row } = parseRow(shuffled, origin);
        assert.deepEqual(row, { ...parsedPlain, id: "7" });
        for (const name of unusedFields) assert.ok(name in others);
      }),
    );
    const { unusedFields } = parseRow({ ...plain, score: 0.5, width: 3, source: "web", tools: [] }, "x");
    assert.deepEqual(unusedFields, ["origin", "score"], "not those that describe it, nor what holds nothing");
  });

  test("that is something else is refused by what it is, never by a crash", () => {
    refused([1], ": is a list, expected an object");
    refused("text", ": is text, expected an object");
    refused(null, ": is null, expected an object");
    refused(3, ": is the number 3, expected an object");
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true }), (value) => {
        for (const row of [
          value,
          { conversations: value },
          { ...plain, image: value },
          { ...plain, id: value },
        ])
          try {
            parseRow(row, origin);
          } catch (error) {
            assert.ok(error instanceof RowError, String(error));
          }
      }),
      { numRuns: 500 },
    );
  });

  test("without turns says what it has instead", () => {
    refused(
      { id: "q", query: "Hi", response: "Hello" },
      " (id q): conversations: is needed, a list of turns; the row has query, response",
    );
    refused({ id: "q", conversations: [] }, " (id q): conversations: has no turns");
    refused(
      { id: "q", conversations: "[1" },
      " (id q): conversations: is text that is not valid JSON: Expected ',' or ']' after array element in JSON at position 2 (line 1 column 3)",
    );
    refused(
      { conversations: [{ from: "human", value: null }] },
      ": conversations.0.value: is null, expected text",
    );
    refused({ conversations: [{ from: "human" }] }, ": conversations.0.content: is missing, expected text");
  });

  test("about sounds is refused, and so is an id or an image that is none", () => {
    refused({ ...plain, audios: ["a.wav"] }, " (id a): audio: rows about sounds cannot be used");
    refused({ ...plain, id: ["b"] }, ' (id ["b"]): id: is a list, expected text or a number');
    refused({ ...plain, image: 5 }, " (id a): image: is the number 5, expected a path");
    refused(
      { ...plain, image: "https://example.com/a.jpg" },
      " (id a): image: https://example.com/a.jpg is an address; rows name files. Download it.",
    );
    refused(
      { ...plain, image: `data:image/png;base64,${"A".repeat(9000)}` },
      " (id a): image: holds the image itself in 9022 characters; rows name files. Write it into one.",
    );
    refused({ ...plain, images: ["b.jpg"] }, " (id a): names its images twice and otherwise: a.jpg | b.jpg");
  });
});

describe("a row about videos", () => {
  const asks = (value: string) => [{ from: "human", value }, conversations[1]];
  const read = (fields: object, question: string) => {
    const { images, conversations } = parseRow({ id: "a", ...fields, conversations: asks(question) }, origin);
    return { images, question: conversations[0]!.value };
  };
  const [clip, film] = ["a.mp4", "b"].map((name) => ({ name, isVideo: true as const }));
  const photo = { name: "a.jpg" };

  test("has them at <image>, as the original code has it, or at <video>", () => {
    const expected = { images: [clip], question: "<image>\nWhat?" };
    assert.deepEqual(read({ video: "a.mp4" }, "<image>\nWhat?"), expected);
    assert.deepEqual(read({ video: "a.mp4" }, "<video>\nWhat?"), expected);
    assert.deepEqual(read({ videos: ["a.mp4"] }, "<video>\nWhat?"), expected);
    const two = { images: [clip, film], question: "<image> and <image>" };
    assert.deepEqual(read({ videos: ["a.mp4", "b"] }, "<video> and <video>"), two);
    assert.deepEqual(read({ videos: ["a.mp4", "b"] }, "<image> and <image>"), two);
  });

  test("may be about images too, each kind at its own mark", () => {
    const fields = { image: "a.jpg", video: "a.mp4" };
    const question = "<image>, then <image>";
    assert.deepEqual(read(fields, "<image>, then <video>"), { images: [photo, clip], question });
    assert.deepEqual(read(fields, "<video>, then <image>"), { images: [clip, photo], question });
    const content = [{ type: "video", video: "a.mp4" }, { type: "image", image: "a.jpg" }, "What?"];
    const messages = [
      { role: "user", content },
      { role: "assistant", content: "x" },
    ];
    assert.deepEqual(parseRow({ messages }, origin).images, [clip, photo]);
  });

  test("is refused where its marks do not tell what stands where", () => {
    const placed = (fields: object, question: string, message: string) =>
      assert.throws(() => read(fields, question), {
        name: "LlavaError",
        problem: "placeholders",
        message: `${origin} (id a): ${message}`,
      });
    const both = { image: "a.jpg", video: "a.mp4" };
    placed(both, "<image> <image>", "which of its <image> is a video cannot be told");
    const counts = "in its questions, but 0 images and 2 videos";
    placed({ videos: ["a.mp4", "b"] }, "<video>", `0 <image> and 1 <video> ${counts}`);
    placed({ videos: ["a.mp4", "b"] }, "<video> <image>", `1 <image> and 1 <video> ${counts}`);
    placed(
      { video: "a.mp4" },
      "What?",
      "0 <image> and 0 <video> in its questions, but 0 images and 1 videos",
    );
  });

  test("leaves the word <video> alone where there is none", () => {
    const question = "<image> and the tag <video>";
    assert.deepEqual(read({ image: "a.jpg" }, question), { images: [photo], question });
  });
});

describe("turns", () => {
  const [question, answer] = ["<image>\nWhat is this?", "A bird."];
  const same = { id: "a", images: [{ name: "a.jpg" }], conversations, origin };

  test("may be ShareGPT's or messages, whoever they call the speakers", () => {
    for (const [human, gpt] of [
      ["human", "gpt"],
      ["user", "assistant"],
      ["user", "gpt"],
      ["human", "model"],
    ]) {
      const pairs = [
        {
          conversations: [
            { from: human, value: question },
            { from: gpt, value: answer },
          ],
        },
        {
          conversations: [
            { role: human, content: question },
            { role: gpt, content: answer },
          ],
        },
        {
          messages: [
            { role: human, content: question },
            { role: gpt, content: answer },
          ],
        },
        {
          messages: [
            { from: human, value: question },
            { from: gpt, value: answer },
          ],
        },
        {
          conversations: JSON.stringify([
            { from: human, value: question },
            { from: gpt, value: answer },
          ]),
        },
      ];
      for (const turns of pairs)
        assert.deepEqual(parseRow({ id: "a", image: "a.jpg", ...turns }, origin), same);
    }
  });

  test("may have parts, whose images are placeholders and may be named there", () => {
    const said = (...image: object[]) => [
      { role: "user", content: [...image, { type: "text", text: "\nWhat is this?" }] },
      { role: "assistant", content: [{ type: "text", text: answer }] },
    ];
    for (const part of [
      { type: "image", image: "a.jpg" },
      { type: "image_url", image_url: { url: "a.jpg" } },
      { type: "image_url", image_url: "a.jpg" },
      { type: "image", url: "a.jpg" },
      { type: "image", path: "a.jpg" },
      { type: "image", text: null, image: { bytes: null, path: "a.jpg" } },
    ])
      assert.deepEqual(parseRow({ id: "a", messages: said(part) }, origin), same);
    assert.deepEqual(
      parseRow({ id: "a", images: ["a.jpg"], messages: said({ type: "image" }) }, origin),
      same,
    );
    refused(
      { messages: said({ type: "audio", audio: "a.mp3" }) },
      ': messages.0.content.0: a part of the type "audio", expected "text", "image" or "video"',
    );
  });

  test("may begin with a system message, which may also be a field of the row", () => {
    const rule = { ...same, system: "Be brief." };
    const first = [{ from: "system", value: "Be brief." }, ...conversations];
    assert.deepEqual(parseRow({ ...plain, origin: null, conversations: first }, origin), rule);
    assert.deepEqual(parseRow({ ...plain, origin: null, system: "Be brief." }, origin), rule);
    assert.deepEqual(
      parseRow(
        { ...plain, origin: null, conversations: [{ role: "system", content: "" }, ...conversations] },
        origin,
      ),
      same,
    );
    refused(
      { ...plain, system: "Be long.", conversations: first },
      " (id a): there is a system message in its turns and another one in the field system",
    );
  });

  test("name fields of theirs that are not read", () => {
    const weighted = conversations.map((turn) => ({ ...turn, weight: 0, name: null }));
    assert.deepEqual(parseRow({ ...plain, origin: null, conversations: weighted }, origin).unusedFields, [
      "conversations.weight",
    ]);
  });
});
