import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ErrorCode, LlavaError } from "../../errors.ts";
import { loadTokenizer, type Tokenizer } from "../../processing/tokenizer/index.ts";
import type { AnswerConstraint } from "../../protocol/index.ts";
import { ensureLlguidance } from "../../setup/index.ts";
import type { ConstraintCompiler } from "../engine/index.ts";
import { llguidanceCompiler } from "./index.ts";

const path = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

const properties = (count: number): Record<string, object> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, {}]));

suite("constraints", () => {
  let tokenizer: Tokenizer;
  let compiler: ConstraintCompiler;
  const endId = (): number => tokenizer.eosId!;
  before(async () => {
    await ensureLlguidance();
    tokenizer = await loadTokenizer(path("test/fixtures/tokenizer/smollm"));
    // Logits are often wider than the vocabulary.
    compiler = await llguidanceCompiler({ tokenizer, size: tokenizer.vocabSize + 13, endId: endId() });
  });

  const has = (mask: Uint32Array, id: number): boolean => ((mask[id >> 5]! >>> (id & 31)) & 1) === 1;

  /** Whether an answer of these ids may be given and end. */
  async function takes(constraint: AnswerConstraint, ids: readonly number[]): Promise<boolean> {
    using matcher = await compiler.compile(constraint);
    for (const id of ids) {
      if (!has(matcher.mask(), id)) return false;
      matcher.accept(id);
    }
    return has(matcher.mask(), endId());
  }

  const read = (text: string): number[] => tokenizer.encode(text);
  const failure = (code: ErrorCode, message: RegExp) => (error: unknown) =>
    error instanceof LlavaError && error.code === code && message.test(error.message);

  const person: AnswerConstraint = {
    type: "json-schema",
    schema: {
      type: "object",
      properties: { age: { type: "integer" }, sex: { enum: ["f", "m"] } },
      required: ["age", "sex"],
      additionalProperties: false,
    },
  };
  const cases: readonly [AnswerConstraint, taken: readonly string[], refused: readonly string[]][] = [
    [{ type: "json" }, ['{"a": [1, null]}', "{}", '{ "a":\n1}'], ["[1]", "12", '{"a": 1', "{a: 1}"]],
    [person, ['{"age": 4, "sex": "f"}', '{"age":4,"sex":"m"}'], ['{"age": 4.5, "sex": "f"}', '{"age": 4}']],
    [{ type: "regex", pattern: "[a-c]{2}-[0-9]+" }, ["ab-12"], ["ab-", "abc-1", " ab-1"]],
    [{ type: "grammar", grammar: 'start: "yes" | "no"' }, ["yes", "no"], ["maybe", "yesno"]],
    [{ type: "json-schema", schema: true }, ["[1]", "12"], ["{"]],
  ];
  for (const [constraint, taken, refused] of cases)
    test(`${constraint.type}: ${JSON.stringify(constraint).slice(0, 60)}`, async () => {
      for (const text of taken) assert(await takes(constraint, read(text)), text);
      for (const text of refused) assert(!(await takes(constraint, read(text))), text);
    });

  test("a model whose tokenizer writes a space first may begin with one", async () => {
    const llama2 = await loadTokenizer(path("test/fixtures/tokenizer/llama2"));
    assert(llama2.stripsLeadingSpace);
    const own = await llguidanceCompiler({
      tokenizer: llama2,
      size: llama2.vocabSize,
      endId: llama2.eosId!,
    });
    for (const [constraint, text] of [
      [{ type: "json" }, '{"a": 1}'],
      [person, '{"age": 4, "sex": "f"}'],
      [{ type: "regex", pattern: "[a-c]+|x/y" }, "x/y"],
    ] as const) {
      using matcher = await own.compile(constraint);
      const ids = llama2.encode(text);
      assert.equal(Buffer.from(llama2.bytesOf(ids[0]!))[0], 0x20);
      for (const id of ids) {
        assert(has(matcher.mask(), id), `${text}: ${llama2.idToToken(id)}`);
        matcher.accept(id);
      }
      assert(has(matcher.mask(), llama2.eosId!), text);
      using other = await own.compile(constraint);
      const twice = llama2.tokenToId("▁▁");
      if (twice !== undefined) assert(!has(other.mask(), twice));
    }
  });

  test("at most eight blanks stand in a row between tokens of JSON", async () => {
    assert(await takes({ type: "json" }, read(`{"a":${" ".repeat(8)}1}`)));
    assert(!(await takes({ type: "json" }, read(`{"a":${" ".repeat(9)}1}`))));
    assert(await takes({ type: "json" }, read(`{"a":"${" ".repeat(40)}"}`)), "inside of a text");
  });

  test("a special token is no text, nor are ids without one", async () => {
    using matcher = await compiler.compile({ type: "regex", pattern: ".*" });
    const mask = matcher.mask();
    for (const [name, id] of tokenizer.specialTokens) assert.equal(has(mask, id), id === endId(), name);
    for (let id = tokenizer.vocabSize; id < tokenizer.vocabSize + 13; id++) assert(!has(mask, id), `${id}`);
  });

  test("answers go through one compiled schema each on its own way", async () => {
    using one = await compiler.compile(person);
    using other = await compiler.compile(person);
    for (const id of read('{"age": 41')) one.accept(id);
    assert(!one.isFinished);
    assert(has(other.mask(), read("{")[0]!));
    assert(!has(one.mask(), read("{")[0]!));
  });

  const hostile: readonly [what: string, AnswerConstraint, RegExp][] = [
    ["look-around", { type: "regex", pattern: "(?=a)b" }, /look-around/],
    ["an unbalanced bracket", { type: "regex", pattern: "(a" }, /the regular expression cannot/],
    [
      "a format that nobody knows",
      { type: "json-schema", schema: { type: "string", format: "nope" } },
      /nope/,
    ],
    ["a schema of itself", { type: "json-schema", schema: { $ref: "#" } }, /no answer|ref/i],
    ["a type that is none", { type: "json-schema", schema: { type: "integr" } }, /integr/],
    ["no grammar", { type: "grammar", grammar: "start = x" }, /the grammar cannot/],
    ["deep nesting", { type: "json-schema", schema: nested(1e4) }, /recursion|nested/],
    [
      "too many optional properties",
      { type: "json-schema", schema: { items: { type: "object", properties: properties(501) } } },
      /at most 500 are taken in one/,
    ],
    [
      "a long text",
      { type: "json-schema", schema: { enum: ["x".repeat(3e5)] } },
      /300\d\d\d? characters|characters/,
    ],
  ];
  for (const [what, constraint, message] of hostile)
    test(`${what} is refused`, async () => {
      await assert.rejects(compiler.compile(constraint), failure("config", message));
      assert(await takes({ type: "json" }, read("{}")), "others go on");
    });

  test("the pinned wheel is the release whose folder is looked for", () => {
    const pins = readFileSync(path("native/llguidance/requirements.txt"), "utf8");
    const release = pins.match(/^llguidance==([\d.]+)/m)![1]!;
    assert.match(readFileSync(path("src/setup/llguidance.ts"), "utf8"), new RegExp(`"${release}"`));
  });

  test("as many optional properties as there may be are held to", async () => {
    const schema = { type: "object", properties: properties(500), additionalProperties: false };
    assert(await takes({ type: "json-schema", schema }, read('{"p3": 1, "p499": 2}')));
    assert(!(await takes({ type: "json-schema", schema }, read('{"p500": 1}'))));
    const required = Object.keys(properties(600));
    using _ = await compiler.compile({
      type: "json-schema",
      schema: { type: "object", properties: properties(600), required },
    });
  });

  test("what would overrun llguidance's stack is refused, and schemas that refer to themselves are held to", async () => {
    const chain = (count: number): AnswerConstraint => {
      const names = Array.from({ length: count }, (_, i) => `d${i}`);
      const $defs = names.map((name, i): [string, object] => [
        name,
        { anyOf: [{ $ref: `#/$defs/${names[(i + 1) % count]}` }, { type: "null" }] },
      ]);
      return { type: "json-schema", schema: { $defs: Object.fromEntries($defs), $ref: "#/$defs/d0" } };
    };
    assert(await takes(chain(100), read("null")));
    const rules = Array.from({ length: 2000 }, (_, i) => `r${i}: "${i}" r${(i + 1) % 2000}`);
    const grammar: AnswerConstraint = { type: "grammar", grammar: `start: r0\n${rules.join("\n")}` };
    for (const hostile of [chain(1000), grammar])
      await assert.rejects(compiler.compile(hostile), failure("config", /within each other/));
  });
});

function nested(depth: number): unknown {
  let schema: unknown = { type: "integer" };
  for (let level = 0; level < depth; level++) schema = { type: "object", properties: { a: schema } };
  return schema;
}
