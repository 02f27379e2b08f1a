import { join } from "node:path";
import { AtomicFile, writeAtomically, writeRows } from "../../files/index.ts";
import { mulberry32, pick, seedOfText } from "../../random/index.ts";
import type { LedgerEntry, RunLedger } from "../../runner/index.ts";
import { classOfReply, markup } from "../instruct/classify.ts";
import { mediumField, mediumMark } from "../instruct/item.ts";
import { detailInstructions } from "../instruct/prompts/instructions.ts";
import type { ReplyClass } from "../instruct/reply-class.ts";
import type { RecaptionItem } from "./items.ts";
import { itemOf } from "./run-recaption.ts";

export interface RecaptionReport {
  /** Items of each class; they sum up to all. */
  readonly classes: Readonly<Partial<Record<ReplyClass, number>>>;
  readonly items: number;
  readonly rows: number;
  /** Mean, of a caption. */
  readonly words: number | null;
  readonly cost: number;
}

export interface RecaptionFiles {
  readonly out: string;
  /** What became of each item, and the report. */
  readonly folder: string;
  readonly seed: number;
  /** Asked in every row; drawn from instructions for descriptions where it is left out. */
  readonly instruction?: string | undefined;
}

/** Writes a row for each good caption and what became of each item, in the items' order, one by one. */
export async function writeRecaptions(ledger: RunLedger, files: RecaptionFiles): Promise<RecaptionReport> {
  const served = await ledger.mostServed();
  const classes: Partial<Record<ReplyClass, number>> = {};
  let [items, rows, words] = [0, 0, 0];
  using outcomes = new AtomicFile(join(files.folder, "outcomes.jsonl"), { code: "data" });
  const found = async function* () {
    for await (const entry of ledger.entries()) {
      const name = classOf(entry, served);
      const item = itemOf(entry.task);
      items++;
      classes[name] = (classes[name] ?? 0) + 1;
      const { key, attempts, error } = entry;
      const line = { id: item.id, class: name, key, attempts, ...(error !== undefined && { error }) };
      outcomes.write(`${JSON.stringify(line)}\n`);
      if (name !== "ok") continue;
      rows++;
      const text = entry.reply!.text.trim();
      words += text.split(/\s+/).length;
      yield rowOf(item, text, files);
    }
  };
  await writeRows(files.out, found());
  outcomes.finish();
  const { spent } = await ledger.spending();
  const report = { classes, items, rows, words: rows === 0 ? null : words / rows, cost: spent };
  writeAtomically(join(files.folder, "report.json"), [`${JSON.stringify(report, null, 2)}\n`], {
    code: "data",
  });
  return report;
}

/** Captions that so many others have are no captions of their images. */
const sameTextAllowed = 20;

function classOf({ reply, state }: LedgerEntry, served: string | undefined): ReplyClass {
  if (reply === undefined) return state === "failed" ? "failed" : "unasked";
  const unusable = classOfReply(reply, served);
  if (unusable !== undefined) return unusable;
  if (reply.sameText > sameTextAllowed) return "repeated";
  if (reply.reason === "length") return "truncated";
  return markup.test(reply.text) ? "leak-markup" : "ok";
}

function rowOf(item: RecaptionItem, caption: string, { seed, instruction }: RecaptionFiles) {
  const asked =
    instruction ?? pick(detailInstructions, mulberry32(seedOfText(seed, `instruction ${item.id}`)));
  return {
    id: item.id,
    ...mediumField(item),
    conversations: [
      { from: "human", value: `${mediumMark(item)}\n${asked}` },
      { from: "gpt", value: caption },
    ],
    ...(item.segment && { metadata: { segment: item.segment } }),
  };
}
