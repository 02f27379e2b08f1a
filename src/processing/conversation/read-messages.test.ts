import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LlavaError } from "../../errors.ts";
import type { Message } from "../../protocol/index.ts";
import { mediaOf, readMessages } from "./index.ts";

const user = (content: unknown) => ({ role: "user", content });
const image = (source: unknown) => ({ type: "image", image: source });
const text = (said: string) => ({ type: "text", text: said });
const read = (content: unknown, images: readonly string[] = []) =>
  readMessages([user(content)], images)[0]!.content;

describe("parts", () => {
  test("an image is one in OpenAI's and Hugging Face's spelling, whatever holds it", () => {
    const bytes = new Uint8Array([1]);
    const parts: [unknown, unknown][] = [
      [image("a.png"), "a.png"],
      [image(bytes), bytes],
      [image(bytes.buffer), bytes.buffer],
      [{ type: "image", url: "https://example.org/a.png" }, "https://example.org/a.png"],
      [{ type: "image", path: "a.png", text: null }, "a.png"],
      [{ type: "image", base64: "AAAA" }, "data:;base64,AAAA"],
      [{ type: "image_url", image_url: { url: "a.png", detail: "low" } }, "a.png"],
      [{ type: "image_url", image_url: "a.png" }, "a.png"],
      [{ type: "input_image", image_url: "a.png", detail: "auto" }, "a.png"],
    ];
    for (const [part, source] of parts)
      assert.deepEqual(read([part, { type: "input_text", text: "What?" }]), [image(source), text("What?")]);
    const blob = new Blob([bytes]);
    assert.deepEqual(read([image(blob)]), [image(blob)]);
  });

  const refused: [what: string, part: unknown, message: RegExp][] = [
    [
      "of another type",
      { type: "imageurl", url: "a" },
      /part 1: its type is "imageurl"; did you mean "image_url"/,
    ],
    ["without a type", { image: "a" }, /part 1: its type is undefined/],
    [
      "with a key that nobody reads",
      { type: "text", text: "a", txt: "b" },
      /unknown key "txt"; did you mean "text"/,
    ],
    ["that names two images", { type: "image", image: "a", url: "b" }, /twice, as image and url/],
    [
      "with an object for an image",
      image({ href: "a" }),
      /its image: expected an image, got an object with href/,
    ],
    ["with a number for a text", { type: "text", text: 3 }, /its text is 3/],
    [
      "with another detail",
      { type: "image_url", image_url: { url: "a", detail: "max" } },
      /its detail is "max"/,
    ],
    ["with an empty image", image(""), /got an empty text/],
    ["with a video of no kind", { type: "video", video: 7 }, /expected a video, got 7/],
    ["without its video", { type: "video" }, /it names no video/],
    ["that is none", 7, /expected an object, got 7/],
  ];
  for (const [what, part, message] of refused)
    test(`one ${what} is refused`, () => assert.throws(() => read([part]), { name: "LlavaError", message }));

  test("messages that are none are refused by their place", () => {
    const wrong: [unknown, RegExp][] = [
      [{}, /expected a list/],
      [[null], /message 1: expected an object, got null/],
      [[user("a"), { role: "gpt", content: "b" }], /message 2: its role is "gpt"/],
      [[{ from: "human", value: "a" }], /unknown key "from"; did you mean "role"/],
      [[{ role: "user", content: null }], /message 1: its content is null/],
      [[{ role: "user", content: "a", images: ["b"] }], /unknown key "images"; did you mean "content"/],
    ];
    for (const [messages, message] of wrong)
      assert.throws(() => readMessages(messages), { name: "LlavaError", message });
  });
});

describe("<image>", () => {
  test("is where the images given beside go, or those of the same message", () => {
    assert.deepEqual(read("<image>\nWhat?", ["a"]), [image("a"), text("What?")]);
    assert.deepEqual(read([image("a"), text("<image>\nWhat?")]), [image("a"), text("What?")]);
    assert.deepEqual(read([{ type: "image" }, text("What?")], ["a"]), [image("a"), text("What?")]);
    assert.deepEqual(read("Is <image> like <image>?", ["a", "b"]), [
      ...[text("Is "), image("a"), text(" like "), image("b"), text("?")],
    ]);
  });

  test("takes the images in the order of the conversation, answers left alone", () => {
    const messages = [
      user("<image>\nOne?"),
      { role: "assistant", content: "<image> is" },
      user("<image> two?"),
    ];
    assert.deepEqual(
      readMessages(messages, ["a", "b"]).map(({ content }) => content),
      [[image("a"), text("One?")], [text("<image> is")], [image("b"), text("two?")]],
    );
  });

  test("counts: another number than of images names both", () => {
    const wrong: [unknown, string[], RegExp][] = [
      ["<image> <image>", ["a"], /2 <image> placeholders but 1 image/],
      ["<image>", [], /1 <image> placeholder but 0 images/],
      [[image("a"), image("b"), text("<image> What?")], [], /1 <image> placeholder but 2 images/],
      [[image("a"), text("<image> <image>")], ["b", "c"], /2 <image> placeholders but 3 images/],
    ];
    for (const [content, images, message] of wrong)
      assert.throws(() => read(content, images), { code: "prompt", message });
  });

  test("without it the images stand in front of the last message", () => {
    const said = [user("One?"), { role: "assistant", content: "1" }, user("Two?")];
    assert.deepEqual(readMessages(said, ["a"]).at(-1)!.content, [image("a"), text("Two?")]);
    assert.deepEqual(readMessages([user([text("x"), image("b")])], ["a"])[0]!.content, [
      ...[image("a"), text("x"), image("b")],
    ]);
  });
});

test("whatever the messages are, each image comes through once, in order, or an error says why", () => {
  const part = fc.oneof(
    fc.constantFrom("a.png", "b.png").map((source) => image(source)),
    fc.constantFrom("What?", "<image>", "<image>\nIs it?", "").map(text),
    fc.constantFrom({ type: "image_url", image_url: { url: "c.png" } }, { type: "image" }),
    fc.anything(),
  );
  const content = fc.oneof(fc.constantFrom("What?", "<image> it"), fc.array(part, { maxLength: 4 }));
  fc.assert(
    fc.property(
      fc.array(content, { minLength: 1, maxLength: 3 }),
      fc.subarray(["x", "y"]),
      (turns, given) => {
        const messages = turns.map((said, index) => ({
          role: index % 2 === 0 ? "user" : "assistant",
          content: said,
        }));
        try {
          const found = mediaOf(readMessages(messages, given));
          for (const source of given) assert.equal(found.filter((one) => one === source).length, 1);
          const written = JSON.stringify(turns).match(/[abc]\.png/g)?.length ?? 0;
          assert.equal(found.length, written + given.length);
        } catch (error) {
          if (!(error instanceof LlavaError)) throw error;
        }
      },
    ),
    { numRuns: 500 },
  );
});

describe("videos", () => {
  const clip = { path: "clip.mp4" };
  const kinds = (messages: readonly Message[]) =>
    messages.flatMap(({ content }) =>
      typeof content === "string"
        ? [content]
        : content.map((part) => (part.type === "text" ? part.text : part.type)),
    );

  test("are parts, by their path or their frames", () => {
    const [message] = readMessages([
      {
        role: "user",
        content: [
          { type: "video", video: "clip.mp4" },
          { type: "video", frames: ["a.png", "b.png"] },
          { type: "text", text: "What happens?" },
        ],
      },
    ]);
    assert.deepEqual(mediaOf([message!]), [clip, { frames: ["a.png", "b.png"] }]);
  });

  test("stand at <image> in order, or at marks of their own, where there are any", () => {
    const read = (text: string) => readMessages([{ role: "user", content: text }], ["a.png", clip, "b.png"]);
    assert.deepEqual(kinds(read("1 <image> 2 <image> 3 <image>")), [
      "1 ",
      "image",
      " 2 ",
      "video",
      " 3 ",
      "image",
    ]);
    assert.deepEqual(kinds(read("1 <video> 2 <image> 3 <image>")), [
      "1 ",
      "video",
      " 2 ",
      "image",
      " 3 ",
      "image",
    ]);
    assert.throws(() => read("<video> and <video> and <image>"), { code: "prompt" });
  });

  test("alone go first, and without one <video> is a word", () => {
    assert.deepEqual(kinds(readMessages([{ role: "user", content: "What is <video>?" }], [clip])), [
      "video",
      "What is ?",
    ]);
    assert.deepEqual(kinds(readMessages([{ role: "user", content: "What is <video>?" }])), [
      "What is <video>?",
    ]);
  });
});
