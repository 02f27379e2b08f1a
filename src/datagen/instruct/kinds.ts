import { LlavaError } from "../../errors.ts";
import { pick } from "../../random/index.ts";
import { type SceneItem, sceneText } from "./item.ts";
import type { FewShot, InstructionKind, Turn } from "./kind.ts";
import { parseBlocks, parseStructured, parseText } from "./parse-reply.ts";
import { examples } from "./prompts/few-shots.ts";
import { detailInstructions, systems } from "./prompts/instructions.ts";

export const kindNames = ["conversation", "detail", "reasoning"] as const;
export type KindName = (typeof kindNames)[number];

/** "json": replies in the form of `turnsSchema`, for endpoints that take one; "blocks": as text. */
export type ReplyForm = "json" | "blocks";

export interface KindOptions {
  readonly form: ReplyForm;
  /** Whether conversations are made from boxes too; the original's are from captions alone. */
  readonly boxesInConversations?: boolean | undefined;
  /** System messages and examples of one's own, as `readOriginalPrompts` finds them. */
  readonly prompts?: Readonly<Record<KindName, KindPrompt>> | undefined;
}

export interface KindPrompt {
  readonly system: string;
  readonly fewShots: readonly FewShot[];
}

/** The three kinds of LLaVA's instruction data (arXiv 2304.08485, section 3), asked for in this project's own words. */
export function instructionKinds(
  names: readonly KindName[],
  { form, boxesInConversations: withBoxes = false, prompts }: KindOptions,
): InstructionKind[] {
  const text = ({ captions, boxes }: Pick<SceneItem, "captions" | "boxes">, name: KindName): string =>
    sceneText({ captions, boxes }, name !== "conversation" || withBoxes);
  const own = (name: KindName): KindPrompt => ({
    system: name === "conversation" ? systems.conversation(withBoxes) : systems[name],
    fewShots: examples[name].map(({ scene, turns }) => ({
      query: text(scene, name),
      reply: replyOf(turns, name),
    })),
  });
  return names.map((name) => {
    const { system, fewShots } = prompts?.[name] ?? own(name);
    const kind: InstructionKind = {
      name,
      system,
      fewShots,
      query: (item) => text(item, name),
      parse: (reply, _, random) =>
        name === "detail" ? parseText(reply, pick(detailInstructions, random)) : parseBlocks(reply),
      ...limits[name],
    };
    return form === "json" ? structuredKind(kind) : kind;
  });
}

/** Twice the longest of the original's rows, in tokens. */
const limits = {
  conversation: { maxTokens: 1280, answerWords: [1, 400], ungrounded: "drop" },
  detail: { maxTokens: 768, answerWords: [20, 500], ungrounded: "drop" },
  reasoning: { maxTokens: 768, answerWords: [20, 500], ungrounded: "flag" },
} as const satisfies Record<KindName, Partial<InstructionKind>>;

const replyOf = (turns: readonly Turn[], name: KindName): string =>
  name === "detail"
    ? turns[0]!.answer
    : turns.map(({ question, answer }) => `Question:\n${question}\n===\nAnswer:\n${answer}`).join("\n===\n");

/** The same kind where replies are JSON: its examples too, or the teacher would follow them. */
function structuredKind(kind: InstructionKind): InstructionKind {
  const noDraw = (): number => 0;
  const nothing: SceneItem = { id: "", image: "", captions: [], boxes: [] };
  const isDetail = kind.name === "detail";
  return {
    ...kind,
    system: `${kind.system.replace(/\n\nWrite each question and answer in this form[\s\S]*$/, "")}\n\nReply in JSON: {"turns": [{"question": "…", "answer": "…"}]}${isDetail ? ", with one turn whose question is empty" : ""}.`,
    fewShots: kind.fewShots.map(({ query, reply }) => {
      const read = kind.parse(reply, nothing, noDraw);
      if ("problem" in read)
        throw new LlavaError("data", `an example of the kind ${kind.name} cannot be read: ${read.problem}`, {
          hint: "Examples are written as replies should be.",
        });
      const turns = isDetail ? read.turns.map(({ answer }) => ({ question: "", answer })) : read.turns;
      return { query, reply: JSON.stringify({ turns }) };
    }),
    parse: (reply, item, random) => {
      const read = parseStructured(reply);
      if ("problem" in read || !isDetail) return read;
      const question = kind.parse("", item, random);
      const asked = "turns" in question ? question.turns[0]!.question : "";
      return { ...read, turns: read.turns.slice(0, 1).map(({ answer }) => ({ question: asked, answer })) };
    },
  };
}
