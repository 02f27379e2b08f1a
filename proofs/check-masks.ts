// Are exactly the answers trained? Looks at every row of a file of LLaVA rows with the template v1:
//   node proofs/check-masks.ts llava_v1_5_mix665k.json --tokenizer vicuna-7b-v1.5 [--list]
// Each answer and the token that ends it must be trained and nothing else, by decoding the trained ids; and ids and labels
// must be those of the original LLaVA code wherever that does not mask the whole row because its counts do not add up.
// --list names those rows. The tokenizer is a folder; images need not be there.
import { parseArgs } from "node:util";
import { createProgress } from "../src/cli/index.ts";
import { datasetRows, type LlavaRow, readDatasets } from "../src/data/index.ts";
import { LlavaError } from "../src/errors.ts";
import { type EncodedRow, openProcessor, sourceWithoutModel } from "../src/processing/processor/index.ts";
import { originalMasks } from "../test/support/original-masks.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { tokenizer: { type: "string" }, list: { type: "boolean", default: false } },
});
const [path] = positionals;
if (path === undefined || flags.tokenizer === undefined) {
  console.error("usage: node proofs/check-masks.ts ROWS --tokenizer FOLDER [--list]");
  process.exit(2);
}
const processor = await openProcessor(sourceWithoutModel({ folder: flags.tokenizer }, { name: "v1" }, 1));
const { tokenizer, imageTokenId } = processor;

const counts = { rows: 0, answers: 0, exact: 0, unusable: 0, original: 0, same: 0, masked: 0 };
const problems: string[] = [];
const masked: string[] = [];
const bar = createProgress({ label: "masks", unit: "rows" });
for (const dataset of await readDatasets(path))
  for await (const found of datasetRows(dataset)) {
    bar.increment();
    counts.rows++;
    if ("error" in found) {
      counts.unusable++;
      problems.push(found.error.message);
    } else look(found.row);
  }
bar.stop();

console.log(`${counts.rows} rows with ${counts.answers} answers, ${counts.unusable} unusable`);
console.log(`${counts.exact} rows: every answer with its end token is trained, and nothing else`);
console.log(
  `${counts.original} rows are right in the original: ${counts.same} with the same ids and labels here`,
);
console.log(`${counts.masked} rows would silently be masked by the original`);
if (flags.list) for (const line of masked) console.log(`  ${line}`);
for (const line of problems.slice(0, 20)) console.error(line);
if (problems.length > 0) process.exitCode = 1;

function look(row: LlavaRow): void {
  let encoded: EncodedRow;
  try {
    const layouts = row.images.map(() => processor.layoutOf());
    encoded = processor.encodeRow(row, layouts, "keep");
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
    counts.unusable++;
    problems.push(error.message);
    return;
  }
  const answers = row.conversations.filter(({ from }) => from === "gpt").map(({ value }) => ` ${value}</s>`);
  const trained = encoded.segments
    .filter(({ supervised }) => supervised)
    .map(({ start, length }) => textOf(encoded.inputIds.slice(start, start + length)));
  counts.answers += answers.length;
  if (JSON.stringify(answers) === JSON.stringify(trained)) counts.exact++;
  else problems.push(`${row.origin} (id ${row.id}): trains ${JSON.stringify(trained)}`);

  const original = originalMasks(row, tokenizer, imageTokenId);
  if (original.mismatch !== undefined) {
    counts.masked++;
    masked.push(`${row.origin} (id ${row.id}): ${original.mismatch}`);
    return;
  }
  counts.original++;
  const isSame = String([encoded.inputIds, encoded.labels]) === String([original.inputIds, original.labels]);
  if (isSame) counts.same++;
  else problems.push(`${row.origin} (id ${row.id}): ids or labels differ from the original's`);
}

function textOf(ids: readonly number[]): string {
  const end = ids.at(-1) === tokenizer.eosId ? tokenizer.idToToken(tokenizer.eosId!)! : "";
  const bytes = ids.slice(0, end === "" ? undefined : -1).map((id) => tokenizer.bytesOf(id));
  return Buffer.concat(bytes).toString("utf8") + end;
}
