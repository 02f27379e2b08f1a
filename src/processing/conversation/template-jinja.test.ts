// Named templates in Jinja: npm test -- src/processing/conversation/template-jinja.test.ts
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Message } from "../../protocol/index.ts";
import { loadTokenizer } from "../tokenizer/index.ts";
import { withAnswerEnd } from "./answer-end.ts";
import { chatTemplate, choosePromptFormat, namedTemplate, promptText, templateNames } from "./index.ts";
import { jinjaOf, statedTemplate } from "./template-jinja.ts";

const fixtures = join(import.meta.dirname, "../../../test/fixtures");
const folder = join(fixtures, "chat-templates");
const tokenizer = await loadTokenizer(join(fixtures, "tokenizer/llama2"));
const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, name), "utf8"));
const conversations = read("conversations.json") as Readonly<Record<string, Message[]>>;

/** What a published checkpoint's template does: no end behind answers. */
const endless =
  "{% for m in messages %}{{ m['role'].upper() + ': ' }}{% for p in m['content'] if p['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}{% for p in m['content'] if p['type'] == 'text' %}{{ p['text'] + ' ' }}{% endfor %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";

const written = new Map([
  ...templateNames.map((name) => [name, jinjaOf(name)] as const),
  ["plain-ended", jinjaOf("plain", "</s>")],
  ["ended", withAnswerEnd(endless, "</s>")],
]);

describe("chat templates that go with weights", () => {
  const expected = read("expected.json") as Readonly<Record<string, Record<string, unknown>>>;
  for (const [name, jinja] of written)
    test(`${name} renders in transformers what it renders here`, () => {
      const path = join(folder, `${name}.jinja`);
      if (process.env["UPDATE_GOLDENS"]) writeFileSync(path, jinja);
      assert.equal(jinja, readFileSync(path, "utf8"));
      const formats = [
        chatTemplate(jinja, { tokenizer }),
        choosePromptFormat({ chatTemplate: jinja, tokenizer }),
      ];
      for (const [about, messages] of Object.entries(conversations)) {
        const options = { addGenerationPrompt: messages.at(-1)!.role === "user" };
        const result = expected[name]![about];
        for (const format of formats)
          if (typeof result === "string")
            assert.equal(promptText(format.render(messages, options)), result, about);
          else assert.throws(() => format.render(messages, options), /has no place for a system message/);
      }
    });
});

const image = fc.constant({ type: "image", image: "a.png" } as const);
const text = fc
  .array(fc.constantFrom("What", "?", " ", "\n", "é'\"\\", "{{ x }}", "<image>"), { minLength: 1 })
  .map((words) => ({ type: "text", text: words.join("") }) as const);
const conversation = fc
  .tuple(
    fc.array(fc.tuple(fc.array(fc.oneof(image, text), { minLength: 1, maxLength: 4 }), text), {
      maxLength: 2,
    }),
    fc.array(fc.oneof(image, text), { minLength: 1, maxLength: 4 }),
    fc.option(text, { nil: undefined }),
  )
  .map(([turns, last, system]): Message[] => [
    ...(system === undefined ? [] : [{ role: "system", content: [system] } as const]),
    ...turns.flatMap(([content, answer]): Message[] => [
      { role: "user", content },
      { role: "assistant", content: [answer] },
    ]),
    { role: "user", content: last },
  ]);

/** Its first text is all space, and so is the beginning of the second. */
const spacedApart: Message[] = [
  {
    role: "user",
    content: [" ", "\nWhat", "?"].map((text) => ({ type: "text", text })),
  },
];

test("a template in Jinja is the named one, in text and in what is supervised", () => {
  fc.assert(
    fc.property(fc.constantFrom(...templateNames), conversation, (name, messages) => {
      const named = namedTemplate(name);
      const inJinja = chatTemplate(jinjaOf(name), { tokenizer });
      const shown = (format: typeof named) => {
        try {
          return promptText(format.render(messages));
        } catch (error) {
          return (error as Error).message.replace(/^The chat template refuses the conversation: /, "");
        }
      };
      assert.equal(shown(inJinja), shown(named));
    }),
    { numRuns: 300, examples: [["llava_llama_3", spacedApart]] },
  );
});

test("a named template is found again in its Jinja, and in no other", () => {
  for (const name of templateNames) {
    assert.deepEqual(statedTemplate(jinjaOf(name))?.stop, namedTemplate(name).stop);
    const ended = statedTemplate(jinjaOf(name, "<|im_end|>"));
    assert.deepEqual(ended?.turnMarks, namedTemplate(name, "<|im_end|>").turnMarks);
  }
  assert.equal(statedTemplate(`${jinjaOf("v1")} `), undefined, "somebody changed it");
  assert.equal(statedTemplate(jinjaOf("v1").replace("template v1", "template v9")), undefined);
  assert.equal(statedTemplate(endless), undefined);
});
