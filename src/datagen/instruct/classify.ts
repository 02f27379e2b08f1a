import type { GenerationResult } from "../../protocol/index.ts";
import type { Reader } from "../language/english-reader.ts";
import { type Grounding, grounding } from "./grounding.ts";
import type { SceneItem } from "./item.ts";
import type { InstructionKind, Turn } from "./kind.ts";
import type { ReplyClass } from "./reply-class.ts";

/** A reply as it was read. */
export interface Classified {
  readonly class: ReplyClass;
  /** What a row holds; empty unless the class is that of one. */
  readonly turns: readonly Turn[];
  /** Where boxes are known. */
  readonly grounding?: Grounding | undefined;
}

export interface ClassifyContext {
  readonly kind: InstructionKind;
  readonly item: SceneItem;
  readonly read: Reader;
  readonly random: () => number;
  /** Items that have this very reply. */
  readonly sameText: number;
  /** The model that most replies name; undefined where none do. */
  readonly served: string | undefined;
}

/** Items that may have the same reply by chance. */
const sameTextAllowed = 3;

/** Why a reply is no answer, whatever was asked: how it ended comes first, for a refused reply may read like another. */
export function unanswered(
  reply: GenerationResult,
  { sameText, served }: Pick<ClassifyContext, "sameText" | "served">,
): ReplyClass | undefined {
  return classOfReply(reply, served) ?? (sameText > sameTextAllowed ? "repeated" : undefined);
}

/** What a reply is. */
export function classifyReply(reply: GenerationResult, context: ClassifyContext): Classified {
  const { kind, item, read, random } = context;
  const none = (name: ReplyClass): Classified => ({ class: name, turns: [] });
  const flaw = unanswered(reply, context);
  if (flaw !== undefined) return none(flaw);
  const text = reply.text.trim();
  const isCut = reply.reason === "length";
  const parsed = kind.parse(text, item, random);
  if ("problem" in parsed) return none(isCut ? "truncated" : parsed.problem);
  const whole = isCut && !parsed.isClosed ? parsed.turns.slice(0, -1) : parsed.turns;
  if (isCut && whole.length === 0) return none("truncated");
  if (whole.length === 0) return none("no-pairs");
  if (whole.some(({ question, answer }) => question === "" || answer === "")) return none("misaligned");
  const flawed = classOfTurns(whole, kind) ?? kind.check?.(whole, item);
  if (flawed !== undefined) return none(flawed);
  const name = isCut ? "trimmed" : "ok";
  if (item.boxes.length === 0 || kind.ungrounded === "ignore") return { class: name, turns: whole };
  const found = grounding(
    whole.map(({ answer }) => answer),
    item,
    read,
  );
  if (found.unsupported.length > 0 && kind.ungrounded === "drop")
    return { ...none("ungrounded"), grounding: found };
  return { class: name, turns: whole, grounding: found };
}

/** What a reply is where it cannot be used, whatever was asked. @param served the model that others name */
export function classOfReply(reply: GenerationResult, served: string | undefined): ReplyClass | undefined {
  const text = reply.text.trim();
  if (reply.reason === "filtered" || reply.reason === "refused") return reply.reason;
  if (text === "") return reply.reason === "length" ? "truncated" : "empty";
  if (served !== undefined && reply.model !== undefined && reply.model !== served)
    return "served-model-changed";
  if (refusal.test(text)) return "refused";
  if (aboutRequest.test(text)) return "meta";
  return goesRound(text) ? "repeated" : undefined;
}

function classOfTurns(
  turns: readonly Turn[],
  { answerWords: [least, most] }: InstructionKind,
): ReplyClass | undefined {
  for (const { question, answer } of turns) {
    const both = `${question}\n${answer}`;
    if (markup.test(both)) return "leak-markup";
    if (coordinates.test(both)) return "leak-coordinates";
    if (source.test(both)) return "leak-source";
    const letters = both.match(/\p{L}/gu) ?? [];
    if (letters.filter((letter) => !/\p{Script=Latin}/u.test(letter)).length > letters.length / 4)
      return "wrong-language";
    const words = answer.split(/\s+/).length;
    if (words < least) return "too-short";
    if (words > most) return "too-long";
  }
  return undefined;
}

const refusal =
  /^\W*(i['’]?m (really |very )?sorry|sorry,|i apologi[sz]e|i (can['’]?t|cannot|am unable|['’]?m unable|won['’]?t|am not able)|as an ai|unfortunately,? i)\b/i;
const aboutRequest =
  /\b(your (message|request|input|prompt) (is|was|seems|appears)( to be)? (empty|blank|incomplete|missing)|(no|any) (image|caption|description|text|input)s? (was|were|is|has been|have been) (provided|given|attached)|please (provide|share|upload|send|give me)( me)?( with)? (the|an|a|some|more|your)|how can i (help|assist) you)\b/i;
export const markup =
  /={3,}|<\/?image>|<\|[^|]*\|>|<\/?s>|\[\/?INST\]|^\s*(?:\*\*)?(question|user|human|assistant)(?:\*\*)?\s*:/im;
const coordinates =
  /\[\s*\d*\.\d+\s*,\s*\d*\.\d+|\(\s*\d*\.\d+\s*,\s*\d*\.\d+|\b0\.\d{2,3}\b|\bcoordinates?\b/i;
const source =
  /\b(captions?|bounding box(es)?|boxes provided|(given|provided) (sentences?|descriptions?|information|details|context|lines)|(descriptions?|sentences?|information|context|lines|details) (provided|given|mentions?|says?|states?|above)|(according to|based on|from) the (descriptions?|sentences?|information|details|lines))\b/i;

/** Words in a row that may be said again, and how often. */
const loopWords = 6;
const loopTimes = 4;

/** Whether six words come again and again, as where a model is caught in a loop. */
function goesRound(text: string): boolean {
  const words = text.toLowerCase().split(/\s+/);
  // Where six words come four times, at least eight words have come before; most answers are passed by this count.
  if (words.length - new Set(words).size < 8) return false;
  const seen = new Map<string, number>();
  for (let start = 0; start + loopWords <= words.length; start++) {
    const run = words.slice(start, start + loopWords).join(" ");
    const times = (seen.get(run) ?? 0) + 1;
    if (times >= loopTimes) return true;
    seen.set(run, times);
  }
  return false;
}
