/**
 * Sends `llava serve` a hundred constraints that are made to hold it up, four at once, while a stream runs: each must be refused
 * (4xx) or answered within a second, and 99 % of the stream's gaps stay within 3 times those of one alone.
 *
 *   node proofs/hostile-constraints.ts [--model llava-smol-135m] [--serve "…"]
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ask, bodyOf, isAnswered, quantile } from "../bench/serving/load.ts";
import { startOwn } from "../bench/serving/servers.ts";
import { defaultModel } from "../src/setup/index.ts";

const { values } = parseArgs({
  options: { model: { type: "string", default: defaultModel }, serve: { type: "string", default: "" } },
});

const schemaOf = (schema: unknown) => ({
  response_format: { type: "json_schema", json_schema: { name: "hostile", schema } },
});
const range = (count: number): number[] => [...Array(count).keys()];
/** Written by hand: what nests so deeply is not made as a value. */
const nested = (depth: number, open: string, inner: string, close: string): string =>
  `${open.repeat(depth)}${inner}${close.repeat(depth)}`;
const objects = (depth: number): unknown =>
  range(depth).reduce<unknown>((inner) => ({ type: "object", properties: { a: inner }, required: ["a"] }), {
    type: "null",
  });
const lists = (depth: number): unknown =>
  range(depth).reduce<unknown>((items) => ({ type: "array", items, minItems: 1 }), { type: "null" });
const choices = (depth: number): unknown =>
  range(depth).reduce<unknown>((inner) => ({ anyOf: [inner, { type: "array", items: inner }] }), {});
const record = (count: number, value: (i: number) => unknown) =>
  Object.fromEntries(range(count).map((i) => [`key${i}`, value(i)]));

/** As fields of a request, or as text that stands in their place. */
const constraints: readonly (object | string)[] = [
  ...[10, 30, 60, 1000].map((depth) => schemaOf(objects(depth))),
  ...[10, 30, 60, 1000].map((depth) => schemaOf(lists(depth))),
  ...[4, 8, 12].map((depth) => schemaOf(choices(depth))),
  ...[10_000, 100_000].map(
    (depth) =>
      `"response_format":{"type":"json_schema","json_schema":{"name":"hostile","schema":${nested(depth, '{"items":', "{}", "}")}}}`,
  ),
  ...[100, 1000, 10_000, 50_000].map((count) => schemaOf({ enum: range(count).map((i) => `value ${i}`) })),
  ...[100, 1000, 5000].map((count) => schemaOf({ enum: range(count).map((i) => `${"x".repeat(40)}${i}`) })),
  ...[100, 1000, 3000].map((count) => schemaOf({ type: "object", properties: record(count, () => ({})) })),
  ...[100, 1000].map((count) => {
    const properties = record(count, () => ({ type: "string" }));
    return schemaOf({ type: "object", properties, required: Object.keys(properties) });
  }),
  ...[10, 100, 1000].map((count) =>
    schemaOf({ oneOf: range(count).map((i) => ({ type: "string", minLength: i })) }),
  ),
  ...[5, 10, 20].map((count) =>
    schemaOf({
      allOf: range(count).map((i) => ({ anyOf: [{ required: [`a${i}`] }, { required: [`b${i}`] }] })),
    }),
  ),
  ...[10, 100, 1000].map((count) => {
    const $defs = Object.fromEntries(
      range(count).map((i) => [
        `d${i}`,
        { anyOf: [{ $ref: `#/$defs/d${(i + 1) % count}` }, { type: "null" }] },
      ]),
    );
    return schemaOf({ $defs, $ref: "#/$defs/d0" });
  }),
  schemaOf({ $ref: "#" }),
  schemaOf({ $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }),
  schemaOf({ $defs: { a: { type: "array", items: { $ref: "#/$defs/a" }, minItems: 2 } }, $ref: "#/$defs/a" }),
  schemaOf({ $ref: "https://example.com/schema.json" }),
  ...[1e3, 1e6, 1e9, 1e15].map((minLength) => schemaOf({ type: "string", minLength })),
  ...[1e3, 1e6, 1e9].map((minItems) => schemaOf({ type: "array", items: {}, minItems })),
  ...[1e3, 1e6, 1e9].map((maxItems) => schemaOf({ type: "array", items: { enum: [1, 2] }, maxItems })),
  ...[1e3, 1e6, 1e9].map((maxLength) => schemaOf({ type: "string", pattern: "^(a|b)*$", maxLength })),
  ...["(a{1,1000}){1,1000}", "(a*)*b", "((a|aa)+)+$", "a{1,100000}", "(a{0,500}b{0,500}){0,500}"].map(
    (pattern) => schemaOf({ type: "string", pattern }),
  ),
  schemaOf({ type: "number", multipleOf: 1e-300 }),
  schemaOf({ type: "number", minimum: 1e308, maximum: -1e308 }),
  schemaOf({ type: "integer", minimum: -1e300, maximum: 1e300 }),
  schemaOf({ type: "array", uniqueItems: true, items: { type: "integer" }, minItems: 1000 }),
  schemaOf({ not: { not: { not: {} } } }),
  schemaOf({ const: "x".repeat(200_000) }),
  schemaOf({ description: "x".repeat(5_000_000) }),
  schemaOf({ patternProperties: record(200, (i) => ({ minLength: i })), additionalProperties: false }),
  ...[
    "(a{1,1000}){1,1000}",
    "((a{1,100}){1,100}){1,100}",
    "(a|b|c|d|e|f|g)*".repeat(500),
    "(.*)*".repeat(200),
    "(x+x+)+y",
    "(?=a)b",
    "(a)\\1",
    "[",
    "(",
    "a{2,1}",
    "\\p{L}{1,1000}\\p{N}{1,1000}",
    "(\\w{1,200}\\s){1,200}",
    "[^\\x00-\\x{10FFFF}]",
    "a".repeat(200_000),
    nested(5000, "(", "a", ")"),
    nested(1000, "(a|", "b", ")*"),
    range(5000).join("|"),
    ".{0,100000}a.{0,100000}",
    "(?:a?){2000}a{2000}",
    "",
  ].map((regex) => ({ regex })),
  ...[
    "start: start",
    'start: start "a" | "a"',
    'start: a\na: b\nb: a | "x"',
    "start: undefined_rule",
    'start: ("a" | "b")~1..100000',
    `start: ${range(2000)
      .map((i) => `r${i}`)
      .join(" | ")}\n${range(2000)
      .map((i) => `r${i}: "${i}" r${(i + 1) % 2000}`)
      .join("\n")}`,
    "start: /(a{1,1000}){1,1000}/",
    `start: ${'"a" '.repeat(20_000)}`,
    nested(2000, "start: (", '"a"', ")").replaceAll("start: ", "").replace(/^/, "start: "),
    "%import common.ESCAPED_STRING\nstart: ESCAPED_STRING",
    'start: ""',
    "\0",
  ].map((grammar) => ({ grammar })),
];

await using server = await startOwn(values.model, values.serve.split(" ").filter(Boolean));
const stream = await bodyOf(server, { text: "Tell a long story.", tokens: 1600 });
const alone = await ask(server, await bodyOf(server, { text: "Tell a long story.", tokens: 200 }));
if (!isAnswered(alone)) throw new Error(`status ${alone.status}`);
const idle = quantile(alone.gaps, 0.5);
const leaving = new AbortController();
let late = 0;
const gaps: number[] = [];
const background = (async () => {
  while (!leaving.signal.aborted) {
    const outcome = await ask(server, stream, { signal: leaving.signal }).catch(() => undefined);
    if (outcome && isAnswered(outcome)) gaps.push(...outcome.gaps);
  }
})();
await wait(500);
const [refused, answered, took]: [number[], number[], number[]] = [[], [], []];
const left = constraints.entries();
await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (const [index, constraint] of left) {
      const plain = await bodyOf(server, { text: "Answer.", tokens: 1 });
      const body =
        typeof constraint === "string"
          ? `${plain.slice(0, -1)},${constraint}}`
          : JSON.stringify({ ...JSON.parse(plain), ...constraint });
      const began = performance.now();
      const outcome = await ask(server, body).catch((error: Error) => error);
      const whole = performance.now() - began;
      took.push(whole);
      const status = outcome instanceof Error ? 0 : isAnswered(outcome) ? 200 : outcome.status;
      (status === 200 ? answered : refused).push(status);
      if (whole <= 1000 && (status === 200 || (status >= 400 && status < 500))) continue;
      late++;
      const told = (typeof constraint === "string" ? constraint : JSON.stringify(constraint)).slice(0, 120);
      console.log(`MISS constraint ${index}: ${status} after ${whole.toFixed(0)} ms: ${told}`);
    }
  }),
);
const isThere = (await fetch(`${server.url}/health`)).ok;
leaving.abort();
await background;
console.log(
  `${took.length} constraints: ${answered.length} answered, ${refused.length} refused; half within ${quantile(took, 0.5).toFixed(0)} ms, 95 % within ${quantile(took, 0.95).toFixed(0)} ms, all within ${Math.max(...took).toFixed(0)} ms; ${late} late or otherwise`,
);
if (gaps.length > 0) {
  const p99 = quantile(gaps, 0.99);
  console.log(
    `the stream beside them: 99 % of ${gaps.length} gaps within ${p99.toFixed(1)} ms, ${(p99 / idle).toFixed(2)} times the ${idle.toFixed(1)} ms of one alone; the bar is 3`,
  );
}
console.log(isThere ? "the server is well" : "the server is not well");
if (late > 0 || !isThere) process.exitCode = 1;
