/** A dataset of questions with short answers. */
export interface OpenSet {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly splits: readonly string[];
  /** The table that holds its test split, of those that IG-VLM distributes. */
  readonly table: string;
  /** The table's column that names a question. */
  readonly idColumn: string;
  /** Folders of the videos, in the order in which they are looked for. */
  readonly videos: readonly string[];
  /** What stands before a video's id in the name of its file, where questions do not say. */
  readonly videoPrefix: string;
  /** Labels by the number of a question's type and by the question. */
  labels(type: number, question: string): Readonly<Record<string, string>>;
  /** Whether questions need a capital letter and a mark, as lmms-eval's copy gives them. */
  readonly bareQuestions: boolean;
}

const activityNetTypes = ["Motion", "Spatial Relation", "Temporal Relation"];
const activityNetAnswers = ["Yes/No", "Color", "Object", "Location", "Number", "Other"];
const frameTypes = ["Object", "Number", "Color", "Location"];
const askingWords = ["what", "who", "how", "when", "where"];

function askingWord(question: string): Readonly<Record<string, string>> {
  const word = question.trim().split(/\s/, 1)[0]!.toLowerCase();
  return { word: askingWords.includes(word) ? word : "other" };
}

const xu =
  'Xu et al. 2017, "Video Question Answering via Gradually Refined Attention over Appearance and Motion"';

export const openSets: readonly OpenSet[] = [
  {
    name: "activitynet-qa",
    title: "ActivityNet-QA",
    source: "Yu et al. 2019, arXiv:1906.02467; github.com/MILVLG/activitynet-qa",
    splits: ["test", "val", "train"],
    table: "ActivityNet_QA.csv",
    idColumn: "question_id",
    videos: ["all_test", "videos"],
    videoPrefix: "v_",
    labels: (type): Record<string, string> =>
      type < activityNetTypes.length
        ? { type: activityNetTypes[type]! }
        : { type: "Free", answer: activityNetAnswers[type - activityNetTypes.length] ?? "Other" },
    bareQuestions: true,
  },
  {
    name: "msvd-qa",
    title: "MSVD-QA",
    source: xu,
    splits: ["test", "val"],
    table: "MSVD_QA.csv",
    idColumn: "question_id",
    videos: ["videos", "YouTubeClips"],
    videoPrefix: "",
    labels: (_, question) => askingWord(question),
    bareQuestions: false,
  },
  {
    name: "msrvtt-qa",
    title: "MSRVTT-QA",
    source: xu,
    splits: ["test", "val"],
    table: "MSRVTT_QA.csv",
    idColumn: "question_id",
    videos: ["videos", "all", "TestVideo"],
    videoPrefix: "",
    labels: (_, question) => askingWord(question),
    bareQuestions: false,
  },
  {
    name: "tgif-frameqa",
    title: "TGIF-QA (FrameQA)",
    source: "Jang et al. 2017, arXiv:1704.04497",
    splits: ["test"],
    table: "TGIF_FrameQA.csv",
    // A question_id stands for a video there.
    idColumn: "video_id",
    videos: ["videos", "gifs", "mp4"],
    videoPrefix: "",
    labels: (type) => ({ type: frameTypes[type] ?? "Object" }),
    bareQuestions: false,
  },
];
