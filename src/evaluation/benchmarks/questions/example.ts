import { jsonLines, writeExampleFile } from "../example-files.ts";

const rows = [
  {
    question_id: "beach-0",
    image: "beach.jpg",
    text: "What colour is the ball?\nAnswer the question using a single word or phrase.",
    answer: "red",
    category: "colour",
  },
  { question_id: 7, image: "beach.jpg", text: "How many dogs are there?", answer: [2, "two"] },
];

export default (data: string): Promise<void> => writeExampleFile(data, "questions.jsonl", jsonLines(rows));
