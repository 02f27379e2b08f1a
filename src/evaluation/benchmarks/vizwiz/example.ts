import { jsonLines, writeExampleFile } from "../example-files.ts";

const answers = ["unsuitable", "grey", "grey", "gray"].map((answer) => ({
  answer,
  answer_confidence: "yes",
}));

export default async function writeExample(data: string): Promise<void> {
  const row = {
    image: "VizWiz_val_00000000.jpg",
    question: "Which shirt is this?",
    answers,
    answer_type: "other",
  };
  await writeExampleFile(data, "Annotations/val.json", JSON.stringify([row]));
  const text =
    "What is this?\nWhen the provided information is insufficient, respond with 'Unanswerable'.\nAnswer the question using a single word or phrase.";
  const line = { question_id: 0, image: "VizWiz_test_00000000.jpg", text, category: "default" };
  await writeExampleFile(data, "llava_test.jsonl", jsonLines([line]));
}
