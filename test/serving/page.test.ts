import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { readPageFiles } from "../../src/serving/http/index.ts";
import { wireMessages } from "../../src/serving/page/conversation.ts";

suite("chat page", () => {
  const frame = (text: string) => `data:image/jpeg;base64,${text}`;
  const turn = (text: string, answers: readonly [model: string, text: string][]) => ({
    text,
    media: [],
    answers: answers.map(([model, text]) => ({ model, text })),
  });

  test("each model reads its own answers of earlier turns, and another's where it gave none", () => {
    const turns = [
      turn("one", [
        ["a", "of a"],
        ["b", "of b"],
      ]),
      turn("two", [["a", "of a again"]]),
      turn("three", [["b", "half an ans"]]),
    ];
    assert.deepEqual(wireMessages(" ", turns, "b"), [
      { role: "user", content: "one" },
      { role: "assistant", content: "of b" },
      { role: "user", content: "two" },
      { role: "assistant", content: "of a again" },
      { role: "user", content: "three" },
    ]);
  });

  test("pictures and frames come before the text", () => {
    const media = [
      { kind: "image", name: "a.png", urls: ["data:image/png;base64,AA=="] },
      { kind: "video", name: "b.mp4", urls: [frame("BB"), frame("CC")] },
    ] as const;
    assert.deepEqual(wireMessages("Be brief.", [{ text: "What?", media, answers: [] }], "a"), [
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } },
          { type: "video_url", video_url: { url: "data:video/jpeg;base64,BB,CC" } },
          { type: "text", text: "What?" },
        ],
      },
    ]);
  });

  test("what the page names is served, and is small", () => {
    const files = readPageFiles();
    const text = (name: string): string => Buffer.from(files.get(name)!.bytes).toString();
    const named = [...text("index.html").matchAll(/"\/page\/([^"]+)"/g)].map(([, name]) => name!);
    for (const [name, { type }] of files)
      if (type.startsWith("text/javascript"))
        named.push(...[...text(name).matchAll(/from "\.\/([^"]+)"/g)].map(([, other]) => other!));
    assert(named.length > 10);
    for (const name of named) assert(files.has(name), name);
    const bytes = [...files.values()].reduce((sum, file) => sum + file.bytes.length, 0);
    assert(bytes < 150_000, `${bytes}`);
  });
});
