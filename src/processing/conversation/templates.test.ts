import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { LlavaError } from "../../errors.ts";
import type { Message } from "../../protocol/index.ts";
import { namedTemplate, type PromptPiece, promptText, templateNames } from "./index.ts";
import { type TemplateData, templateData } from "./template-data.ts";

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);

const photo = { type: "image", image: "photo.jpg" } as const;
const golden: Message[] = [
  { role: "user", content: [photo, { type: "text", text: "Hi" }] },
  { role: "assistant", content: "Yo" },
  { role: "user", content: "Q" },
];
const asText: Message[] = [{ role: "user", content: "<image>\nHi" }, ...golden.slice(1)];

/** SHA-256 of the system text and of the golden conversation, as the original Python code renders them. */
const published: Record<string, [system: string, prompt: string]> = {
  v0: ["ace78a978005", "aa40b40d8dd9"],
  llava_v0: ["ace78a978005", "543f91e0f160"],
  v1: ["1fa69e2371b7", "78e8feb0376e"],
  vicuna_v1: ["1fa69e2371b7", "78e8feb0376e"],
  llava_v1: ["ace78a978005", "7ed0a2ec89ef"],
  mpt: ["c20002e5cc3a", "46f4fd6ad29e"],
  chatml_direct: ["9ce12280308e", "4da0860b3b50"],
  mistral_direct: ["9ce12280308e", "4da0860b3b50"],
  mistral_instruct: ["e3b0c44298fc", "060c15b29d40"],
  llama_2: ["d52c188a3c96", "b0b81a22282f"],
  llava_llama_2: ["790f4cfc0552", "54fdd27d66ec"],
  v0_mmtag: ["563c2a621b11", "9c9d02f19e62"],
  v1_mmtag: ["563c2a621b11", "a1dc515ebdff"],
  qwen_1_5: ["799c12164a07", "24562ac7e734"],
  qwen_2: ["799c12164a07", "24562ac7e734"],
  qwen_2_5: ["dd437ab6c917", "abfef1c5fa7e"],
  gemma_instruct: ["e3b0c44298fc", "84fc054731a6"],
  mistral_orca: ["799c5c233938", "369e4fcc41d7"],
  mistral_zephyr: ["696cf4433769", "3d5fe9504f93"],
};

describe("templates render what the original code renders", () => {
  for (const [name, [system, prompt]] of Object.entries(published)) {
    test(name, () => {
      const data: TemplateData = templateData[name as keyof typeof templateData];
      assert.equal(digest((data.systemPrefix ?? "") + data.system), system);
      assert.equal(digest(promptText(namedTemplate(name).render(asText))), prompt);
      const isTagged = data.tagsImages === true;
      if (!isTagged) assert.equal(digest(promptText(namedTemplate(name).render(golden))), prompt);
    });
  }
});

describe("golden prompts", () => {
  const marked = (pieces: readonly PromptPiece[]) =>
    pieces
      .map((piece) => ("text" in piece && piece.supervised ? `⟦${piece.text}⟧` : promptText([piece])))
      .join("")
      .replaceAll("⟧⟦", "");
  const text = (content: string) => ({ type: "text", text: content }) as const;
  const conversations: Record<string, [Message[], boolean]> = {
    "one image, two turns, the answer is awaited": [golden, true],
    "text alone": [[{ role: "user", content: "What is a llama?" }], true],
    "two images in one message": [
      [{ role: "user", content: [photo, text("Is it like "), photo, text("?")] }],
      true,
    ],
    "an image after the question": [[{ role: "user", content: [text("What is it?\n"), photo] }], true],
    "training, supervised text in ⟦brackets⟧": [[...golden, { role: "assistant", content: "A" }], false],
    "a system message of one's own": [[{ role: "system", content: "Be brief." }, ...golden], true],
  };
  const folder = join(import.meta.dirname, "../../../test/golden/templates");

  for (const name of templateNames) {
    test(name, async () => {
      const sections = Object.entries(conversations).map(([title, [messages, addGenerationPrompt]]) => {
        let rendered: string;
        try {
          rendered = marked(namedTemplate(name).render(messages, { addGenerationPrompt }));
        } catch (error) {
          rendered = `(${(error as Error).message})`;
        }
        return `=== ${title}\n${rendered}\n`;
      });
      const file = join(folder, `${name}.txt`);
      const actual = sections.join("\n");
      if (process.env["UPDATE_GOLDENS"]) {
        await mkdir(folder, { recursive: true });
        await writeFile(file, actual);
      }
      assert.equal(actual, await readFile(file, "utf8"));
    });
  }
});

describe("conversations out of order are refused", () => {
  const refuses = (messages: Message[], message: RegExp, addGenerationPrompt = true) =>
    assert.throws(
      () => namedTemplate("vicuna_v1").render(messages, { addGenerationPrompt }),
      (error) => error instanceof LlavaError && error.code === "prompt" && message.test(error.message),
    );
  const user: Message = { role: "user", content: "Q" };
  const assistant: Message = { role: "assistant", content: "A" };

  test("by the number of the message and the role expected there", () => {
    refuses([assistant], /Message 1 is from "assistant", expected "user"/);
    refuses([user, user], /Message 2 is from "user", expected "assistant"/);
    refuses([{ role: "system", content: "S" }, assistant], /Message 2 is from "assistant", expected "user"/);
    refuses([user, { role: "system", content: "S" }], /Message 2 is from "system", expected "assistant"/);
    refuses([user, assistant], /last message is from "assistant", expected "user"/);
    refuses([], /no user message/);
  });

  test("images belong to users", () => {
    refuses([user, { role: "assistant", content: [photo] }, user], /"assistant" holds an image/);
    refuses([{ role: "system", content: [photo] }, user], /"system" holds an image/);
  });

  test("a finished conversation is fine for training", () => {
    assert.ok(
      namedTemplate("vicuna_v1").render([user, assistant], { addGenerationPrompt: false }).length > 0,
    );
  });
});

test("an unknown template is refused with the list of names", () => {
  for (const name of ["vicuna", "constructor"]) {
    assert.throws(
      () => namedTemplate(name),
      (error) =>
        error instanceof LlavaError && error.message.includes(name) && error.hint!.includes("vicuna_v1"),
    );
  }
});
