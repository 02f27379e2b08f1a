import { writeExampleFile } from "../example-files.ts";

const common = {
  task: "closed choice",
  topic: "",
  category: "",
  skill: "",
  lecture: "Maps show places.",
  solution: "",
};
const problems = {
  "1": {
    ...common,
    question: "Which of these is farthest north?",
    choices: ["Oslo", "Rome"],
    answer: 0,
    hint: "",
    image: "image.png",
    grade: "grade2",
    subject: "social science",
    split: "test",
  },
  "2": {
    ...common,
    question: "Which is the better estimate?",
    choices: ["10 g", "10 kg", "10 t"],
    answer: 1,
    hint: "A bag  of rice.",
    image: null,
    grade: "grade11",
    subject: "natural science",
    split: "test",
  },
  "3": {
    ...common,
    question: "Is this a noun?\nrun",
    choices: ["yes", "no"],
    answer: 1,
    hint: "",
    image: null,
    grade: "grade6",
    subject: "language science",
    split: "val",
  },
  "4": {
    ...common,
    question: "What is shown?",
    choices: ["a fern", "a moss"],
    answer: 0,
    hint: "Figure: a plant.",
    image: "image.png",
    grade: "grade7",
    subject: "natural science",
    split: "val",
  },
};

export default async function writeExample(data: string): Promise<void> {
  await writeExampleFile(data, "problems.json", JSON.stringify(problems));
  await writeExampleFile(data, "pid_splits.json", JSON.stringify({ test: ["1", "2"], val: ["3", "4"] }));
}
