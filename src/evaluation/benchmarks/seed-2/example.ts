import { writeExampleFile } from "../example-files.ts";

const row = {
  answer: "B",
  choice_a: "One",
  choice_b: "Two",
  choice_c: "Three",
  choice_d: "Four",
  data_source: "SEED-Bench v2",
  version: "v2",
};

const questions = [
  {
    ...row,
    question_id: "5_0",
    question_type_id: 5,
    question: "How many cups?",
    data_id: "12_34",
    data_source: "cc3m",
  },
  {
    ...row,
    question_id: "17_0",
    question_type_id: 17,
    question: "What differs?",
    data_id: ["task17/1.png", "task17/2.png"],
  },
  {
    ...row,
    question_id: "23_0",
    question_type_id: 23,
    question: "<img>: The cup is blue. <img>:",
    data_id: ["task23/1.jpg", "task23/2.jpg"],
  },
  {
    ...row,
    question_id: "26_0",
    question_type_id: 26,
    question: "What will happen next?",
    choice_a: "a/2.png",
    choice_b: "b/2.png",
    choice_c: "c/2.png",
    choice_d: "d/2.png",
    data_id: ["first", "a/2", "b/2", "c/2", "d/2"].map((name) => `task26/${name}.png`),
  },
];

/** A question of each part but video and text; the first stands twice, as some do. */
export default async function writeExample(data: string): Promise<void> {
  const content = { questions: [...questions, questions[0]], question_type: { "Instances Counting": 5 } };
  await writeExampleFile(data, "SEED-Bench_v2_level1_2_3.json", JSON.stringify(content));
}
