import { writeExampleFile } from "../example-files.ts";

const choices = { choice_a: "One", choice_b: "Two", choice_c: "Three", choice_d: "Four" };
const question_type = { "Instances Counting": 5, "Action Recognition": 10 };
const questions = [
  {
    question_id: "101669",
    question_type_id: 5,
    data_type: "image",
    data_id: "1454426_2591111986",
    answer: "A",
  },
  {
    question_id: "v0",
    question_type_id: 10,
    data_type: "video",
    data_id: "1.webm",
    answer: "B",
    segment: [0, 1],
  },
].map((row) => ({ ...row, ...choices, question: "How many towels are in the image?" }));

export default (data: string): Promise<void> =>
  writeExampleFile(
    data,
    "SEED-Bench.json",
    JSON.stringify({ question_type, questions: [...questions, questions[0]] }),
  );
