import { LlavaError } from "../../../errors.ts";
import { normalizeEvalAiAnswer, wilsonInterval } from "../../../evaluation/index.ts";
import type { LocalModel } from "../../../index.ts";
import type { VideoConfig } from "../../../processing/video/index.ts";
import { shortAnswerPrompt, userMessage } from "../../../protocol/index.ts";
import type { VideoQuestion } from "./questions.ts";

/** A way of seeing videos. */
export interface Setting {
  readonly frames: number;
  /** Features of a frame are pooled by so many in both directions. */
  readonly stride: number;
  readonly factor: number | "auto";
}

/** How a model answers the questions in one setting. */
export interface Outcome extends Setting {
  readonly tokensPerFrame: number;
  /** Means over the questions that fit. */
  readonly framesSeen: number;
  readonly promptTokens: number;
  readonly ropeFactor: number;
  readonly secondsPerQuestion: number;
  readonly asked: number;
  readonly right: number;
  /** Questions whose prompt and answer do not fit the context. */
  readonly unfit: number;
  /** Of the questions that fit; with its 95 % interval (Wilson's). */
  readonly accuracy: number;
  readonly interval: readonly [low: number, high: number];
  readonly answers: readonly { readonly id: string; readonly answer: string; readonly right: boolean }[];
}

const maxTokens = 16;

/** Every combination. @throws LlavaError "usage" for a stride that leaves nothing of a frame */
export function settingsOf(
  model: LocalModel,
  { frames, strides, factors }: SweepRange,
  videoWith: (stride: number) => VideoConfig,
): Setting[] {
  for (const stride of strides)
    if (tokensPerFrame(model, videoWith(stride)) < 1)
      throw new LlavaError("usage", `a stride of ${stride} leaves no token of a frame`, {
        hint: `A frame has ${model.pretrained.processor.grid.rows}×${model.pretrained.processor.grid.columns} features.`,
      });
  return strides.flatMap((stride) =>
    factors.flatMap((factor) => frames.map((count): Setting => ({ frames: count, stride, factor }))),
  );
}

export interface SweepRange {
  readonly frames: readonly number[];
  readonly strides: readonly number[];
  readonly factors: readonly (number | "auto")[];
}

const tokensPerFrame = (model: LocalModel, video: VideoConfig): number => {
  const { processor } = model.pretrained;
  const sampled = { indices: [0], times: [0], duration: 1 };
  const shape = { size: { width: 1, height: 1 }, isVideo: true, sampled } as const;
  const seen = processor.with({ video: { ...video, newlines: "none" } });
  return seen.encodePrompt([{ image: 0 }], seen.mediaLayouts([shape])).inputIds.length;
};

/** Asks all questions in one setting, one after the other. `model` sees videos as the setting says. */
export async function ask(
  model: LocalModel,
  setting: Setting,
  questions: readonly VideoQuestion[],
  { signal, onAnswer }: { readonly signal: AbortSignal; readonly onAnswer: () => void },
): Promise<Outcome> {
  const answers: { id: string; answer: string; right: boolean }[] = [];
  const sums = { frames: 0, prompt: 0, factor: 0 };
  let unfit = 0;
  const start = performance.now();
  for (const { id, video, text, answers: rightOnes } of questions) {
    if (signal.aborted) throw new LlavaError("aborted", "stopped");
    try {
      let answer = "";
      const options = {
        ...{ frames: setting.frames, ropeFactor: setting.factor, maxTokens, temperature: 0, signal },
        onPrompt: ({ videos, inputIds, ropeFactor = 1 }: PromptFacts) => {
          sums.frames += videos?.[0]?.indices.length ?? 0;
          sums.prompt += inputIds.length;
          sums.factor += ropeFactor;
        },
      };
      const prompt = { messages: [userMessage(text + shortAnswerPrompt, [{ path: video }])] };
      for await (const part of model.answer(prompt, options))
        if (part.type === "finish") answer = part.output.text;
      const said = normalizeEvalAiAnswer(answer);
      answers.push({ id, answer, right: rightOnes.some((right) => normalizeEvalAiAnswer(right) === said) });
    } catch (error) {
      if (!(error instanceof LlavaError) || error.code !== "prompt") throw error;
      unfit++;
    }
    onAnswer();
  }
  const count = answers.length;
  const right = answers.filter((answer) => answer.right).length;
  const mean = (sum: number): number => (count === 0 ? 0 : sum / count);
  return {
    ...setting,
    tokensPerFrame: tokensPerFrame(model, model.pretrained.processor.videoConfig),
    framesSeen: mean(sums.frames),
    promptTokens: mean(sums.prompt),
    ropeFactor: mean(sums.factor),
    secondsPerQuestion: mean((performance.now() - start) / 1000),
    asked: questions.length,
    right,
    unfit,
    accuracy: mean(right),
    interval: count === 0 ? [0, 1] : wilsonInterval(right / count, count),
    answers,
  };
}

interface PromptFacts {
  readonly videos?: readonly { readonly indices: readonly number[] }[];
  readonly inputIds: readonly number[];
  readonly ropeFactor?: number;
}
