// Does every answer that is held to a schema satisfy it? Asks the default model for JSON of schemas of MaskBench, the folder
// maskbench/data of https://github.com/guidance-ai/jsonschemabench, at temperature 1 and eight at once:
//   node proofs/check-structured.ts jsonschemabench/maskbench/data [--schemas 300] [--model M] [--max-tokens 512]
// Each answer that ends by itself must be JSON that ajv finds valid; those cut by their length are counted.
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
