import { letterPrompt, type Message } from "../../../protocol/index.ts";
import { type Benchmark, benchmark, type Outcome } from "../../benchmark.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { videoQuestion } from "../../prompting/index.ts";
import { loadVideoMme, readVideoMmePredictions, type VideoMmeItem } from "./load.ts";
import { readLetter, readLetterAsOriginal } from "./read-letter.ts";

/** The benchmark's own instruction, and LLaVA's after the options. */
function prompt({ question: asked, options, video, subtitles }: VideoMmeItem): readonly Message[] {
  const basis = subtitles === undefined ? "the video" : "the video and the subtitles";
  const instruction = `Select the best answer to the following multiple-choice question based on ${basis}. Respond with only the letter (A, B, C, or D) of the correct option.`;
  const said =
    subtitles === undefined
      ? ""
      : `This video's subtitles are listed below:\n${subtitles ?? "No subtitles available"}\n`;
  return videoQuestion(`${said}${instruction}\n${asked}\n${options.join("\n")}${letterPrompt}`, video);
}

function outcome({ id, labels = {}, answer: truth, videoId, compat }: VideoMmeItem, answer: string): Outcome {
  const parsed = compat ? readLetterAsOriginal(answer) : readLetter(answer);
  // The original leaves out of the mean what it cannot read.
  const values = { counted: compat && parsed === undefined ? 0 : 1 };
  return { id, labels, parsed, truth, group: videoId, values, credit: parsed === truth ? 1 : 0 };
}

const variant = (name: string, title: string, withSubtitles: boolean): Benchmark =>
  benchmark<VideoMmeItem>({
    name,
    title,
    source:
      'Fu et al. 2024, "Video-MME: The First-Ever Comprehensive Evaluation Benchmark of Multi-modal LLMs in Video Analysis"; dataset lmms-lab/Video-MME',
    files: [
      `videomme/test-*.parquet${withSubtitles ? ", subtitle/" : ""} and data/ with the videos`,
      "or, to score only, evaluation/output_test_template.json",
    ],
    splits: ["all", "short", "medium", "long"],
    headline: "accuracy",
    published: [],
    compat:
      'the first capital from A to D is the answer, also in "Based on …"; answers without one are left out of the mean',
    load: (options) => loadVideoMme(options, withSubtitles),
    asksAboutVideos: true,
    prompt,
    sampling: { maxTokens: 16, temperature: 0 },
    outcome,
    aggregate: (outcomes) =>
      accuracyByLabel(
        outcomes.filter(({ values }) => values?.["counted"] !== 0),
        { digits: 1, labels: ["duration", "domain", "task"] },
      ),
    readPredictions: readVideoMmePredictions,
  });

export default [
  variant("videomme", "Video-MME", false),
  variant("videomme-subtitles", "Video-MME with subtitles", true),
];
