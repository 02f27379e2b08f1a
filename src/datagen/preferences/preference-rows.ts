import { mediumField, mediumMark } from "../instruct/item.ts";
import type { Judged, JudgedSample } from "./judge.ts";
import type { Pair } from "./pairs.ts";
import type { SamplingPlan } from "./samples.ts";

/** How pairs came to be, in every row. */
export interface PairOrigin {
  readonly judge: string;
  readonly sampling: Pick<SamplingPlan, "samples" | "temperature" | "topP">;
}

const scoreOf = ({ judgement }: JudgedSample): number | undefined => judgement?.score;

/** LLaVA-NeXT's form: a prompt with its image or video, two answers, and in `metadata` where they are from. */
export function llavaRow({ id, asked, chosen, rejected }: Pair, { judge, sampling }: PairOrigin) {
  const { samples, temperature, topP } = sampling;
  const scores = asked.samples.flatMap((sample) => scoreOf(sample) ?? []);
  return {
    id,
    ...mediumField(asked.item),
    prompt: `${mediumMark(asked.item)}\n${asked.question}`,
    chosen: chosen.text,
    rejected: rejected.text,
    ...(scoreOf(chosen) !== undefined && {
      chosen_score: scoreOf(chosen),
      rejected_score: scoreOf(rejected),
    }),
    metadata: {
      samples,
      temperature,
      top_p: topP,
      judge,
      chosen_model: chosen.model,
      rejected_model: rejected.model,
      ...(asked.reference !== undefined && { reference: asked.reference }),
      ...(scores.length > 0 && { scores }),
    },
  };
}

/** A message of TRL's, without the image's place. */
const spoken = (role: "user" | "assistant", text: string) => ({ role, content: [{ type: "text", text }] });

/** TRL's form for answers about images; `images` are filled in by the file that they go to. */
export const trlRow = <Image>({ asked, chosen, rejected }: Pair, images: readonly Image[]) => ({
  images,
  prompt: [
    {
      role: "user",
      content: [
        { type: "image", text: null as string | null },
        { type: "text", text: asked.question as string | null },
      ],
    },
  ],
  chosen: [spoken("assistant", chosen.text)],
  rejected: [spoken("assistant", rejected.text)],
});

/** LLaMA-Factory's form: conversations that two answers go on from. */
export const factoryRow = ({ asked, chosen, rejected }: Pair) => ({
  conversations: [{ from: "human", value: `${mediumMark(asked.item)}${asked.question}` }],
  chosen: { from: "gpt", value: chosen.text },
  rejected: { from: "gpt", value: rejected.text },
  [asked.item.isVideo ? "videos" : "images"]: [asked.item.image],
});

/** What LLaMA-Factory's dataset_info.json says of a file of such rows. */
export const factoryInfo = (file: string, media: readonly ("images" | "videos")[]) => ({
  file_name: file,
  formatting: "sharegpt",
  ranking: true,
  columns: {
    messages: "conversations",
    chosen: "chosen",
    rejected: "rejected",
    ...Object.fromEntries(media.map((name) => [name, name])),
  },
});

/** All of a question: every answer with its score, so that another rule of pairing asks nothing. */
export const sampleRow = ({ id, item, question, reference, samples, comparisons }: Judged) => ({
  id,
  ...mediumField(item),
  question,
  ...(reference !== undefined && { reference }),
  answers: samples.map(({ judgement, ...sample }) => ({ ...sample, ...judgement })),
  ...(comparisons.length > 0 && { comparisons }),
});
