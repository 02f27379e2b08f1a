import { z } from "zod";
import { letterPrompt, type VideoFile } from "../../../protocol/index.ts";
import { type Answer, type BenchmarkItem, benchmark, type DatasetOptions } from "../../benchmark.ts";
import {
  documentReader,
  findFile,
  findNested,
  findTable,
  jsonBytes,
  locateFile,
  readDocument,
  type TableFiles,
  tableRows,
  videoFiles,
  within,
} from "../../dataset-files/index.ts";
import { accuracyByLabel } from "../../metrics/index.ts";
import { chosenOption } from "../../parsing/index.ts";
import { letteredOptions, letters, videoQuestion } from "../../prompting/index.ts";
import { known } from "../../scoring/index.ts";

interface EgoSchemaItem extends BenchmarkItem {
  /** Empty where the folder holds only the answers. */
  readonly question: string;
  readonly options: readonly string[];
  readonly video: VideoFile;
  /** Letter of the right option, which is public for 500 of the 5,031 questions. */
  readonly answer?: string | undefined;
}

const questionSchema = z.array(
  z.object({
    q_uid: z.string(),
    question: z.string(),
    "option 0": z.string(),
    "option 1": z.string(),
    "option 2": z.string(),
    "option 3": z.string(),
    "option 4": z.string(),
  }),
);
const choices = z.record(z.string(), z.int().min(0).max(4));

const inside = within(["", "EgoSchema/", "egoschema/"]);

/** Only options' letters, as long as the questions are not known. */
const unknownOptions = ["", "", "", "", ""];

async function* load({ data, split = "subset" }: DatasetOptions): AsyncGenerator<EgoSchemaItem> {
  const [questions, answers] = [inside("questions.json"), inside("subset_answers.json")];
  const originals = [...questions, ...answers];
  if (findFile(data, originals) === undefined && findNested(data, originals) === undefined) {
    const table = await findTable(data, "test", layouts);
    if (table !== undefined) return yield* tableItems(data, table, split);
  }
  const answerPath = split === "subset" ? locateFile(data, answers) : findFile(data, answers);
  const right = answerPath === undefined ? {} : await readDocument(answerPath, choices);
  const videoOf = videoFiles(data, [...inside("videos"), ...inside("good_clips_git")]);
  const letterOf = (id: string): string | undefined => letters[right[id] ?? -1];
  const path = split === "subset" ? findFile(data, questions) : locateFile(data, questions);
  if (path === undefined || path === answerPath) {
    for (const id of Object.keys(right))
      yield { id, question: "", options: unknownOptions, video: videoOf(id), answer: letterOf(id) };
    return;
  }
  for (const row of await readDocument(path, questionSchema)) {
    const answer = letterOf(row.q_uid);
    if (split === "subset" && answer === undefined) continue;
    yield {
      id: row.q_uid,
      question: row.question,
      options: [row["option 0"], row["option 1"], row["option 2"], row["option 3"], row["option 4"]],
      video: videoOf(row.q_uid),
      answer,
    };
  }
}

const layouts = [{ columns: ["question_idx", "question", "option"], folder: /subset/i }];

/** lmms-lab's tables, whose options carry their letters; answers are places from 0, where they are public. */
async function* tableItems(data: string, table: TableFiles, split: string): AsyncGenerator<EgoSchemaItem> {
  const videoOf = videoFiles(data, [...inside("videos"), ...inside("good_clips_git")]);
  for await (const row of tableRows(table)) {
    const answer = letters[Number(row.optionalText("answer") ?? -1)];
    if (split === "subset" && answer === undefined) continue;
    const id = row.text("video_idx", "question_idx");
    yield {
      id,
      question: row.text("question"),
      options: (row.list("option") ?? []).map((option) => option.replace(/^[A-E]\. /, "")),
      video: videoOf(id),
      answer,
    };
  }
}

const read = (answer: string, options: readonly string[]): string | undefined =>
  chosenOption(answer, options === unknownOptions ? [...letters.slice(0, 5)] : options);

/** The server's own form: number of the option by question. */
const readPredictions = documentReader(choices, (chosen): Answer[] =>
  Object.entries(chosen).map(([id, index]) => ({ id, text: letters[index]! })),
);

export default benchmark<EgoSchemaItem>({
  name: "egoschema",
  title: "EgoSchema",
  source:
    'Mangalam et al. 2023, "EgoSchema: A Diagnostic Benchmark for Very Long-form Video Language Understanding"; github.com/egoschema/EgoSchema',
  files: ["questions.json, subset_answers.json and videos/<q_uid>.mp4 (to score only, subset_answers.json)"],
  splits: ["subset", "full"],
  headline: "accuracy",
  published: [],
  load,
  asksAboutVideos: true,
  prompt: (item) =>
    item.question === ""
      ? []
      : videoQuestion(`${item.question}\n${letteredOptions(item.options)}${letterPrompt}`, item.video),
  sampling: { maxTokens: 16, temperature: 0 },
  outcome({ id, options, answer: right }, answer) {
    const truth = known(right, id);
    const parsed = read(answer, options);
    return { id, parsed, truth, credit: parsed === truth ? 1 : 0 };
  },
  aggregate: (outcomes) => accuracyByLabel(outcomes),
  readPredictions,
  submission: {
    file: "egoschema.json",
    // What cannot be read is −1, which the server counts as wrong.
    async write(items, answers) {
      const entries = items.map(({ id, options }) => {
        const letter = read(answers.get(id) ?? "", options);
        return [id, letter === undefined ? -1 : letters.indexOf(letter)];
      });
      return jsonBytes(Object.fromEntries(entries));
    },
  },
});
