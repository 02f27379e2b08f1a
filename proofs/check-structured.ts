// Does every answer that is held to a schema satisfy it? Asks the default model for JSON of schemas of MaskBench, the folder
// maskbench/data of https://github.com/guidance-ai/jsonschemabench, at temperature 1 and eight at once:
//   node proofs/check-structured.ts jsonschemabench/maskbench/data [--schemas 300] [--model M] [--max-tokens 512]
// Each answer that ends by itself must be JSON that ajv finds valid; those cut by their length are counted. --compare 32 has so many of
// the prompts answered once more with and without their schema, by as many tokens: how many a second, and how late the first.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { createProgress } from "../src/cli/index.ts";
import { LlavaError, loadModel, openEngine } from "../src/index.ts";
import { llguidanceCompiler } from "../src/serving/constraints/index.ts";
import { ensureLlguidance } from "../src/setup/index.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    schemas: { type: "string", default: "300" },
    model: { type: "string" },
    "max-tokens": { type: "string", default: "512" },
    compare: { type: "string", default: "32" },
  },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error("usage: node proofs/check-structured.ts FOLDER [--schemas N] [--model M] [--max-tokens N]");
  process.exit(2);
}

await ensureLlguidance({ report: console.error });
using model = await loadModel(flags.model);
const { processor, model: network } = model.pretrained;
const constraints = await llguidanceCompiler({
  tokenizer: processor.tokenizer,
  size: network.languageModel.config.vocabSize,
  endId: [...processor.stopIds][0]!,
});
using engine = await openEngine(model, { constraints, maxRunning: 8 });

const all = readdirSync(folder);
const every = Math.max(1, Math.floor(all.length / Number(flags.schemas)));
const names = all.filter((_, index) => index % every === 0).slice(0, Number(flags.schemas));
const counts = { refused: 0, valid: 0, cut: 0, invalid: 0, unknown: 0 };
const wrong: string[] = [];
/** Of answers that came: what was asked, and of how many tokens they were. */
const answered: { readonly content: string; readonly schema: object; readonly tokens: number }[] = [];
let tokens = 0;
const bar = createProgress({ label: "schemas", unit: "schemas", total: names.length });
const started = performance.now();
const waiting = [...names];
await Promise.all(
  Array.from({ length: 8 }, async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      await look(name);
      bar.increment();
    }
  }),
);
bar.stop();
const seconds = (performance.now() - started) / 1000;

console.log(
  `${names.length} schemas: ${counts.refused} refused; of ${names.length - counts.refused} answers ${counts.valid} are valid, ${counts.invalid} invalid, ${counts.cut} cut by their length; ${counts.unknown} schemas that ajv does not read`,
);
console.log(`${tokens} tokens, ${(tokens / seconds).toFixed(0)} a second`);
for (const line of wrong) console.error(line);
if (counts.invalid > 0) process.exitCode = 1;
await compare(answered.slice(0, Number(flags.compare)));

/** Tokens a second of eight at once, and the first token of one alone whose schema is compiled and whose prompt is cached. */
async function compare(some: typeof answered): Promise<void> {
  const rates: Record<"held" | "free", number[]> = { held: [], free: [] };
  const firsts: Record<"held" | "free", number[]> = { held: [], free: [] };
  const ask = async ({ content, schema, tokens: count }: (typeof some)[number], kind: "held" | "free") => {
    const began = performance.now();
    const constraint = { type: "json-schema", schema } as const;
    const parts = engine.answer({
      prompt: { messages: [{ role: "user", content }] },
      sampling: {
        ...{ temperature: 1, seed: 1, maxTokens: count, topLogprobs: 0 },
        ...(kind === "held" ? { constraint } : { ignoreEos: true }),
      },
    });
    let first = 0;
    let said = 0;
    for await (const part of parts)
      if (part.type === "delta") first ||= performance.now() - began;
      else if (part.type === "finish") said = part.usage.completionTokens;
    return { first, said };
  };
  for (let round = 0; round < 3; round++)
    for (const kind of ["held", "free"] as const) {
      const left = [...some];
      const began = performance.now();
      let said = 0;
      const client = async () => {
        for (let one = left.pop(); one !== undefined; one = left.pop()) said += (await ask(one, kind)).said;
      };
      await Promise.all(Array.from({ length: 8 }, client));
      rates[kind].push((said / (performance.now() - began)) * 1000);
    }
  for (const one of some)
    for (const kind of ["held", "free"] as const)
      firsts[kind].push((await ask({ ...one, tokens: 1 }, kind)).first);
  const middle = (of: readonly number[]): number =>
    of.toSorted((a, b) => a - b)[of.length >> 1] ?? Number.NaN;
  const [held, free] = [middle(rates.held), middle(rates.free)];
  console.log(
    `${held.toFixed(0)} tokens a second by schemas, ${free.toFixed(0)} without: ${(held / free).toFixed(2)} times; the bar is 0.9`,
  );
  console.log(
    `first token after ${middle(firsts.held).toFixed(0)} ms by a compiled schema, ${middle(firsts.free).toFixed(0)} ms without; the bar is 10 ms later`,
  );
}

async function look(name: string): Promise<void> {
  const { schema } = JSON.parse(readFileSync(join(folder!, name), "utf8")) as { schema: object };
  const content = `Write JSON of this schema:\n${JSON.stringify(schema).slice(0, 500)}`;
  let [text, reason] = ["", ""];
  try {
    for await (const part of engine.answer({
      prompt: { messages: [{ role: "user", content }] },
      sampling: {
        temperature: 1,
        seed: 1,
        maxTokens: Number(flags["max-tokens"]),
        constraint: { type: "json-schema", schema },
      },
    }))
      if (part.type === "delta") text += part.text;
      else if (part.type === "finish") {
        reason = part.reason;
        tokens += part.usage.completionTokens;
        answered.push({ content, schema, tokens: part.usage.completionTokens });
      }
  } catch (error) {
    if (!(error instanceof LlavaError && error.code === "config")) throw error;
    counts.refused++;
    return;
  }
  if (reason !== "stop") counts.cut++;
  else judge(name, schema, text);
}

function judge(name: string, schema: object, text: string): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    counts.invalid++;
    wrong.push(`${name}: no JSON: ${text.slice(0, 200)}`);
    return;
  }
  // What a schema says of formats is llguidance's part; ajv knows none of itself.
  const { $schema: _, ...body } = schema as { $schema?: string };
  let isValid: ((value: unknown) => boolean) | undefined;
  try {
    isValid = new Ajv2020({ strict: false, validateFormats: false, logger: false }).compile(body);
  } catch {
    counts.unknown++;
    return;
  }
  if (isValid(value)) counts.valid++;
  else {
    counts.invalid++;
    wrong.push(`${name}: invalid: ${text.slice(0, 200)}`);
  }
}
