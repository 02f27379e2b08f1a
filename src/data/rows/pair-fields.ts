import { parseJson } from "../../files/index.ts";
import { imageMark, videoMark } from "../../processing/conversation/index.ts";
import type { RowTurn } from "../../protocol/index.ts";
import { isAbsent, kindOf, namesOf, type Refuse } from "./row-fields.ts";
import { readTurns } from "./row-turns.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A pair of answers as a row that ends in the better one, and the worse one. */
export interface PairFields {
  readonly fields: Fields;
  readonly rejected: string;
}

const worseNames = ["rejected", "rejected_response", "rejected_messages"] as const;
const mediaNames = ["image", "images", "video", "videos"] as const;
const promptNames = ["prompt", "question", "instruction", "input", "history"] as const;

/** Whether a value of a file is a pair of answers, by the names of its fields: the worse one, or the better without turns. */
export function isPair(fields: Fields): boolean {
  if (worseNames.some((name) => name in fields)) return true;
  if ("chosen" in fields) return !("conversations" in fields || "messages" in fields);
  return isPacked(fields["text"]);
}

/** RLHF-V has question and answers as JSON in one field. */
const isPacked = (text: unknown): text is string =>
  typeof text === "string" && /^\s*\{/.test(text) && text.includes('"rejected"');

/**
 * Reads a pair in the forms that data sets have: a prompt with two answers (LLaVA-NeXT, LLaVA-Hound), messages or text of TRL,
 * with the prompt apart or at the begin of both, RLAIF-V's question, RLHF-V's JSON in a field, and conversations that two
 * answers go on from (LLaMA-Factory, ms-swift) or an instruction (Alpaca).
 */
export function readPair(read: Fields, refuse: Refuse): PairFields {
  const fields = isPacked(read["text"]) ? unpacked(read, refuse) : read;
  const worse = worseNames.find((name) => !isAbsent(fields[name]));
  const media = mediaNames.flatMap((name) =>
    isAbsent(fields[name])
      ? []
      : [fields[name]].flat().map(() => (/^video/.test(name) ? videoMark : imageMark)),
  );
  requireSameImages(fields, refuse);
  const given = promptOf(fields, refuse);
  const isApart = !isAbsent(fields["chosen"]);
  const better = isApart
    ? sideOf(fields["chosen"], "chosen", refuse)
    : answerInTurns(given, worse !== undefined, refuse);
  const prompt: Prompt = isApart ? given : noPrompt;
  if (worse === undefined) return refuse("rejected: has no answer, but there is a chosen one");
  const other = sideOf(fields[worse], worse, refuse);
  requireSamePrompt(better, other, worse, refuse);
  if (better.before.length > 0 && prompt.turns.length > 0)
    refuse("the turns before the answers are in the prompt and in chosen too");
  const before = better.before.length > 0 ? better.before : prompt.turns;
  if (before.length === 0)
    refuse("prompt: is needed, text or turns that end in a question, or conversations, messages or question");
  const { images, videos } = better.images.length + better.videos.length > 0 ? better : prompt;
  const isMarked = before.some(({ value }) => /<(?:image|video)>/.test(value));
  const turns = media.length > 0 && !isMarked ? marked(before, media) : before;
  const known = ["chosen", ...worseNames, "rejected_images", "conversations", "messages", ...promptNames];
  const others = Object.fromEntries(Object.entries(fields).filter(([name]) => !known.includes(name)));
  const system = better.system ?? given.system;
  return {
    fields: {
      ...others,
      ...(media.length === 0 && { images, videos }),
      ...(system !== undefined && isAbsent(others["system"]) && { system }),
      conversations: [...turns, { from: "gpt", value: better.answer }],
    },
    rejected: other.answer,
  };
}

interface Prompt {
  readonly turns: readonly RowTurn[];
  readonly images: readonly string[];
  readonly videos: readonly string[];
  readonly system?: string | undefined;
}

/** One of the two answers, with the turns before it where it brings them. */
interface Side {
  readonly answer: string;
  readonly before: readonly RowTurn[];
  readonly images: readonly string[];
  readonly videos: readonly string[];
  readonly system?: string | undefined;
}

const noMedia = { images: [], videos: [] };
const noPrompt: Prompt = { turns: [], ...noMedia };

function unpacked({ text, ...others }: Fields, refuse: Refuse): Fields {
  let inside: unknown;
  try {
    inside = parseJson(text as string);
  } catch (cause) {
    return refuse(`text: holds a pair in JSON that is not valid: ${(cause as Error).message}`);
  }
  return { ...(inside as Fields), ...others };
}

function promptOf(fields: Fields, refuse: Refuse): Prompt {
  const names = ["conversations", "messages", "prompt", "question", "instruction"];
  const given = names.filter((name) => !isAbsent(fields[name]));
  if (given.length > 1) refuse(`${given.join(" and ")} are both there: which of them is the prompt?`);
  const [name] = given;
  if (name === undefined) return noPrompt;
  const value = fields[name];
  if (name === "instruction") return instruction(fields, refuse);
  if (typeof value === "string" && !/^\s*\[\s*\{/.test(value))
    return { turns: [{ from: "human", value }], ...noMedia };
  return readTurns(typeof value === "string" ? parseJson(value) : value, name, refuse);
}

/** Alpaca's form: an instruction with an input, behind earlier questions and answers. */
function instruction({ instruction: asked, input, history }: Fields, refuse: Refuse): Prompt {
  const text = [asked, input].filter((part) => !isAbsent(part));
  if (!text.every((part) => typeof part === "string")) refuse("instruction and input: expected text");
  const earlier = isAbsent(history) ? [] : history;
  if (!Array.isArray(earlier)) return refuse(`history: is ${kindOf(history)}, expected a list`);
  const turns = earlier.flatMap(([question, answer]: [string, string]): RowTurn[] => [
    { from: "human", value: question },
    { from: "gpt", value: answer },
  ]);
  return { turns: [...turns, { from: "human", value: text.join("\n") }], ...noMedia };
}

/** The better answer of turns that end in it. */
function answerInTurns({ turns, images, videos, system }: Prompt, isPaired: boolean, refuse: Refuse): Side {
  const last = turns.at(-1);
  if (!isPaired || last?.from !== "gpt") return refuse("chosen: has no answer, but there is a rejected one");
  return { answer: last.value, before: turns.slice(0, -1), images, videos, system };
}

/** Text, `{value}`, a message, or messages that end in an answer. */
function sideOf(value: unknown, where: string, refuse: Refuse): Side {
  if (typeof value === "string") return { answer: value, before: [], ...noMedia };
  const list = Array.isArray(value) ? value : [answering(value, where, refuse)];
  const { turns, images, videos, system } = readTurns(list, where, refuse);
  const last = turns.at(-1);
  if (last?.from !== "gpt" || isAbsent(last.value)) return refuse(`${where}: does not end in an answer`);
  return { answer: last.value, before: turns.slice(0, -1), images, videos, system };
}

function answering(value: unknown, where: string, refuse: Refuse): object {
  if (typeof value !== "object" || value === null)
    return refuse(`${where}: is ${kindOf(value)}, expected text or a message`);
  return "from" in value || "role" in value ? value : { from: "gpt", ...value };
}

function requireSamePrompt(better: Side, other: Side, worse: string, refuse: Refuse): void {
  for (const kind of ["images", "videos"] as const)
    if (better[kind].join("\n") !== other[kind].join("\n"))
      refuse(
        `chosen and ${worse} are about other ${kind}: ${better[kind].join(", ") || "none"} | ${other[kind].join(", ") || "none"}`,
      );
  const said = ({ before }: Side): string => before.map((turn) => `${turn.from} ${turn.value}`).join("\n");
  if (other.before.length > 0 && said(better) !== said(other))
    refuse(`chosen and ${worse} answer other turns; a pair has one prompt`);
}

function requireSameImages(fields: Fields, refuse: Refuse): void {
  const other = fields["rejected_images"];
  if (isAbsent(other)) return;
  const own = [...namesOf(fields["image"], "image", refuse), ...namesOf(fields["images"], "images", refuse)];
  const theirs = namesOf(other, "rejected_images", refuse);
  if (own.join("\n") !== theirs.join("\n"))
    refuse(`rejected_images: ${theirs.join(", ")}, not ${own.join(", ") || "none"}; a pair has one prompt`);
}

/** With the marks of images and videos in front of the first question, as such data sets mean it. */
function marked([first, ...others]: readonly RowTurn[], marks: readonly string[]): readonly RowTurn[] {
  const value = [...marks, first!.value].join("\n");
  return [{ from: first!.from, value }, ...others];
}
