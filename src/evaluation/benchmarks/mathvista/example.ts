import { writeExampleFile } from "../example-files.ts";

const metadata = {
  split: "testmini",
  language: "english",
  img_width: 10,
  img_height: 10,
  source: "made up",
  category: "general-vqa",
  task: "math word problem",
  context: "table",
  grade: "daily life",
};

const free = { choices: null, unit: null, precision: null, question_type: "free_form" };

export const problems = {
  "1": {
    ...free,
    question: "How much water is in the cup?",
    image: "images/1.jpg",
    unit: "ml",
    answer: "250",
    answer_type: "integer",
    pid: "1",
    metadata: { ...metadata, skills: ["numeric commonsense", "arithmetic reasoning"] },
  },
  "2": {
    ...free,
    question: "Which side is longest?",
    image: "images/2.jpg",
    choices: ["AB", "BC", "it depends"],
    answer: "BC",
    question_type: "multi_choice",
    answer_type: "text",
    pid: "2",
    metadata: { ...metadata, task: "geometry problem solving", skills: ["arithmetic reasoning"] },
  },
  "3": {
    ...free,
    question: "What part is shaded?",
    image: "images/3.jpg",
    precision: 2,
    answer: "0.38",
    answer_type: "float",
    pid: "3",
    metadata: { ...metadata, skills: [] },
  },
  "4": {
    ...free,
    question: "Which two years?",
    image: "images/4.jpg",
    answer: "[2001, 2002]",
    answer_type: "list",
    pid: "4",
    metadata: { ...metadata, skills: ["statistical reasoning"] },
  },
};

export default async function writeExample(data: string): Promise<void> {
  await writeExampleFile(data, "data/testmini.json", JSON.stringify(problems));
  const { answer: _, ...unanswered } = problems["2"];
  await writeExampleFile(data, "data/test.json", JSON.stringify({ "1001": unanswered }));
}
