/**
 * What `llava data instruct` says of rows, held against figures of rows that GPT-4 wrote, which other code counted: 250 among the sample
 * of 1,000 rows of llava_v1_5_mix665k; and how often answers to LLaVA-Bench (COCO) name what is neither in captions nor in boxes.
 *   node proofs/instruction-quality.ts --rows llava_v1_5_mix1k.jsonl [--output FOLDER]
 *     [--scenes caps_boxes_coco2014_val_80.jsonl --replies coco2014_val_gpt4_qa_30x3.jsonl]
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  generateInstructions,
  type InstructionKind,
  instructionKinds,
  type KindName,
  kindNames,
  type Outcome,
  readItems,
  writeInstructions,
} from "../src/datagen/index.ts";
import { writeRows } from "../src/files/index.ts";
import { type GenerationRequest, noUsage } from "../src/protocol/index.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string" },
    scenes: { type: "string" },
    replies: { type: "string" },
    output: { type: "string" },
  },
});
const folder = values.output ?? mkdtempSync(join(tmpdir(), "instruction-quality-"));
mkdirSync(folder, { recursive: true });
const linesOf = <T>(path: string): T[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
const expect = (what: string, isSo: boolean): void => {
  console.log(`${isSo ? "ok  " : "FAIL"} ${what}`);
  if (!isSo) process.exitCode = 1;
};
const same = (what: string, found: unknown, expected: unknown): void => {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  expect(`${what}: ${one}${one === other ? "" : `, not ${other}`}`, one === other);
};
const near = (what: string, found: number, expected: number, within: number): void =>
  expect(`${what}, ${expected} ± ${within}: ${found.toFixed(2)}`, Math.abs(found - expected) <= within);
const round = (value: number, digits: number): number => Number(value.toFixed(digits));

interface Row {
  readonly id: string;
  readonly image?: string;
  readonly conversations: readonly { readonly from: string; readonly value: string }[];
}

const kinds = Object.fromEntries(
  instructionKinds(kindNames, { form: "blocks" }).map((kind) => [kind.name, kind]),
) as Record<KindName, InstructionKind>;

/** Ends questions of benchmarks and of regions, which no teacher wrote. */
const isTask =
  /single word or phrase|option's letter|bounding box|short description for this region|Provide a one-sentence caption|Reference OCR|region/i;
/** The instructions that the original draws for descriptions. */
const asksForAll =
  /^(Describe the following image|What do you see happening in this image|What do you think is going on in this snapshot|Can you elaborate on the elements|Describe the image concisely|What's happening in the scene|Analyze the image in a comprehensive|Write a detailed description|Can you describe the main features|What are the key elements|Explain the visual content|What is this photo about|Could you describe the contents|Describe the (photo|image)|Can you explain what's happening)/;

async function compareReport(path: string): Promise<void> {
  const rows = linesOf<Row>(path).filter(
    ({ image, conversations }) =>
      image?.startsWith("coco/") &&
      !conversations.some(({ from, value }) => from === "human" && isTask.test(value)),
  );
  const found = rows.map(({ id, image, conversations }, sequence): Outcome => {
    const text = (at: number): string => conversations[at]!.value.replace("<image>", "").trim();
    const turns = Array.from({ length: conversations.length / 2 }, (_, turn) => ({
      question: text(2 * turn),
      answer: text(2 * turn + 1),
    }));
    const name =
      turns.length > 1 ? "conversation" : asksForAll.test(turns[0]!.question) ? "detail" : "reasoning";
    const item = { id, image: image!, captions: [], boxes: [] };
    const entry = { sequence, key: id, id, state: "done", attempts: 1 } as const;
    return { id, item, kind: kinds[name], turns, class: "ok", entry };
  });
  const reportOf = (some: readonly Outcome[], name: string) => {
    const made = { found: some, rows: some.map(({ turns, ...one }) => rowOf(one, turns)), added: new Map() };
    const to = join(folder, name);
    mkdirSync(to, { recursive: true });
    return writeInstructions(made, { out: join(to, "rows.jsonl"), folder: to, cost: 0 });
  };
  const report = await reportOf(found, "all");
  const { conversation, detail, reasoning } = report.kinds;
  same("rows, answers", [found.length, found.flatMap(({ turns }) => turns).length], [250, 560]);
  same("turns of a conversation", round(conversation!.turns, 1), 4.6);
  const { mean, median, longest } = conversation!.answerWords;
  same(
    "words of answers in conversations: mean, median, most",
    [round(mean, 0), median, longest],
    [51, 19, 360],
  );
  near("words of descriptions", detail!.answerWords.mean, 103, 1);
  near("words of arguments", reasoning!.answerWords.mean, 115, 1);
  for (const [kind, words] of [
    [conversation, 10.4],
    [detail, 7.5],
    [reasoning, 13],
  ] as const)
    near("words of questions", kind!.questionWords, words, 0.2);
  const { yesNo, duplicates, habits } = report;
  same("answers that begin with yes, with no", [yesNo.yes, yesNo.no], [35, 8]);
  same("questions that came before", [duplicates.questions, duplicates.ofQuestions], [27, 560]);
  same("answers that say additionally, %", round(100 * habits.additionally, 0), 10);
  const { questionStarts } = await reportOf(
    found.filter(({ kind }) => kind.name === "conversation"),
    "conversations",
  );
  same("how questions of conversations begin", questionStarts.slice(0, 5), [
    ["what is", 87],
    ["what are", 38],
    ["is the", 35],
    ["what type", 31],
    ["how many", 23],
  ]);
  const files = readdirSync(join(folder, "all")).sort();
  same("files", files, [
    "answer-words.svg",
    "classes.svg",
    "provenance.jsonl",
    "question-starts.svg",
    "report.json",
    "rows.jsonl",
  ]);
  const { questionEntropy, distinctPairs } = report;
  console.log(`     ${JSON.stringify({ questionEntropy, distinctPairs, ...duplicates, ...habits })}`);
}

function rowOf({ id, item }: Pick<Outcome, "id" | "item">, turns: Outcome["turns"]) {
  const conversations = turns.flatMap(({ question, answer }) => [
    { from: "human" as const, value: question },
    { from: "gpt" as const, value: answer },
  ]);
  return { id, image: item.image, conversations };
}

const instructionOf = { conv: "conversation", detail: "detail", complex: "reasoning" } as const;

interface Reply {
  readonly id: string;
  readonly instruction: string;
  readonly output: string;
  readonly type: keyof typeof instructionOf;
}

/** Asks a teacher who gives these replies, as any other would be asked. */
async function compareGrounding(scenes: string, repliesFile: string): Promise<void> {
  const replies = linesOf<Reply>(repliesFile);
  const asked = new Set(replies.map(({ id }) => id));
  const own = join(folder, "scenes.jsonl");
  await writeRows(
    own,
    linesOf<{
      id: string;
      image: string;
      captions: string[];
      instances: { category: string; bbox: number[] }[];
    }>(scenes)
      .filter(({ id }) => asked.has(id))
      .map(({ instances, ...rest }) => ({
        ...rest,
        boxes: instances.map(({ category, bbox: box }) => ({ category, box })),
      })),
  );
  const { items } = await readItems({ captions: [own] });
  const replyTo = ({ messages }: GenerationRequest): string => {
    const [system, query] = [messages[0], messages.at(-1)].map((message) => message!.content);
    const kind = Object.values(kinds).find((one) => one.system === system)!;
    const item = items.find((one) => kind.query(one) === query)!;
    const { instruction, output } = replies.find(
      ({ id, type }) => id === item.id && instructionOf[type] === kind.name,
    )!;
    return kind.name === "detail" ? output : `Question:\n${instruction}\n===\nAnswer:\n${output}`;
  };
  const held = new Map<string, Outcome[]>(kindNames.map((name) => [name, []]));
  const made = generateInstructions({
    folder: join(folder, "run"),
    items,
    kinds: (form) => instructionKinds(kindNames, { form }),
    structured: "never",
    teachers: {
      plain: {
        id: "known",
        identity: "",
        concurrency: 1,
        batchSize: 1,
        answer: async (requests) =>
          requests.map((request) => ({ text: replyTo(request), reason: "stop", usage: noUsage })),
      },
    },
    seed: 1,
    onOutcome: (outcome) => held.get(outcome.kind.name)!.push(outcome),
  });
  let rows = 0;
  for await (const row of made) rows += Number(row.conversations.length > 0);
  for (const [name, found] of held) {
    const mentioned = found.flatMap(({ grounding }) => grounding!.mentioned).length;
    const unsupported = found.flatMap(({ grounding }) => grounding!.unsupported);
    const most = name === "reasoning" ? 0.06 : 0;
    const words = unsupported.length > 0 ? ` (${unsupported.join(", ")})` : "";
    expect(
      `${name}: of ${mentioned} things named in ${found.length} replies at most ${100 * most} % are not there: ${unsupported.length}${words}`,
      unsupported.length <= most * mentioned,
    );
    const other = found.filter(({ class: one }) => one !== "ok").map(({ id, class: one }) => `${id} ${one}`);
    if (other.length > 0) console.log(`     no row of: ${other.join(", ")}`);
  }
  console.log(`     ${rows} rows`);
}

if (values.rows !== undefined) await compareReport(values.rows);
if (values.scenes !== undefined && values.replies !== undefined)
  await compareGrounding(values.scenes, values.replies);
if (values.output === undefined) rmSync(folder, { recursive: true });
