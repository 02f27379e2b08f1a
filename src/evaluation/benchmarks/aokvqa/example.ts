import { writeExampleFile } from "../example-files.ts";

const row = {
  split: "val",
  image_id: 461751,
  question_id: "22jbM6gDxdaMaunuzgrsBB",
  question: "What is in the motorcyclist's mouth?",
  choices: ["toothpick", "food", "popsicle stick", "cigarette"],
  correct_choice_idx: 3,
  direct_answers: ["cigarette", "cigar", "cigarette"],
  difficult_direct_answer: false,
};
const difficult = { ...row, question_id: "difficult", difficult_direct_answer: true };
const { correct_choice_idx: _correct, direct_answers: _answers, ...unanswered } = row;

export default async function writeExample(data: string): Promise<void> {
  await writeExampleFile(data, "aokvqa_v1p0_val.json", JSON.stringify([row, difficult]));
  await writeExampleFile(data, "aokvqa_v1p0_test.json", JSON.stringify([{ ...unanswered, split: "test" }]));
}
