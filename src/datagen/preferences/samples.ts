import { type GenerationRequest, noUsage, type SamplingOptions, userMessage } from "../../protocol/index.ts";
import { seedOfText } from "../../random/index.ts";
import type { Ledger, RequestPlan } from "../../runner/index.ts";
import { classOfReply, markup } from "../instruct/classify.ts";
import type { ReplyClass } from "../instruct/reply-class.ts";
import { type AskedQuestion, mediumOf } from "./asked.ts";

export interface SamplingPlan {
  /** Folder that the items' names are relative to. */
  readonly images: string;
  /** Answers to each question. */
  readonly samples: number;
  readonly temperature: number;
  readonly topP: number;
  readonly maxTokens: number;
  readonly seed: number;
}

/** One model's answers to all questions, each with a seed of its own. */
export class SamplePlan implements RequestPlan {
  readonly questions: readonly AskedQuestion[];
  readonly options: SamplingPlan;

  constructor(questions: readonly AskedQuestion[], options: SamplingPlan) {
    this.questions = questions;
    this.options = options;
  }

  get count(): number {
    return this.questions.length * this.options.samples;
  }

  questionOf(place: number): number {
    return Math.floor(place / this.options.samples);
  }

  idAt(place: number): string {
    return `${this.questions[this.questionOf(place)]!.id}-s${place % this.options.samples}`;
  }

  samplingAt(place: number): SamplingOptions {
    const { temperature, topP, maxTokens, seed } = this.options;
    return { temperature, topP, maxTokens, seed: seedOfText(seed, this.idAt(place)) };
  }

  requestAt(place: number): GenerationRequest {
    const { item, question } = this.questions[this.questionOf(place)]!;
    return {
      messages: [userMessage(question, [mediumOf(item, this.options.images)])],
      sampling: this.samplingAt(place),
    };
  }
}

/** An answer of a model to a question, kept whether it can be used or not. */
export interface Sample {
  /** The name that it was asked by. */
  readonly model: string;
  readonly text: string;
  /** "ok" where a pair may have it. */
  readonly class: ReplyClass;
  readonly seed?: number | undefined;
  /** Of equal answers the first one stands for all. */
  readonly isRepeated: boolean;
}

/** Answers to each question, as a ledger holds them for the plan that was entered in it. */
export function readSamples(plan: SamplePlan, ledger: Ledger, model: string): Sample[][] {
  const served = ledger.mostServed();
  const found = plan.questions.map((): Sample[] => []);
  for (const { sequence, reply, state } of ledger.entries())
    found[plan.questionOf(sequence)]!.push({
      model,
      text: reply?.text.trim() ?? "",
      class: reply ? classOfSample(reply, served) : state === "failed" ? "failed" : "unasked",
      seed: plan.samplingAt(sequence).seed,
      isRepeated: false,
    });
  return found;
}

/** Answers that were given elsewhere. */
export const givenSamples = (given: readonly { readonly model: string; readonly text: string }[]): Sample[] =>
  given.map(({ model, text }) => ({
    model,
    text: text.trim(),
    class: classOfSample({ text, reason: "stop", usage: noUsage }, undefined),
    isRepeated: false,
  }));

/** An answer that was cut teaches to stop anywhere, so that it is in no pair. */
function classOfSample(reply: Parameters<typeof classOfReply>[0], served: string | undefined): ReplyClass {
  const unusable = classOfReply(reply, served);
  if (unusable !== undefined) return unusable;
  if (reply.reason === "length") return "truncated";
  return markup.test(reply.text) ? "leak-markup" : "ok";
}

/** Answers as they are compared: letters' case, blanks and a last point make no other one. */
const normalised = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/[.\s]+$/, "")
    .trim();

/** Marks those that say what another says before them. */
export function markRepeated(samples: readonly Sample[]): Sample[] {
  const seen = new Set<string>();
  return samples.map((sample) => {
    const text = normalised(sample.text);
    const isRepeated = sample.class === "ok" && seen.has(text);
    if (sample.class === "ok") seen.add(text);
    return { ...sample, isRepeated };
  });
}

export const isUsable = ({ class: name, isRepeated }: Sample): boolean => name === "ok" && !isRepeated;

export const wordsOf = (text: string): number => (text.trim() === "" ? 0 : text.trim().split(/\s+/).length);
