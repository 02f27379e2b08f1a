import { embedded, jsonLines, parquet, writeExampleFile } from "../example-files.ts";

const asked = (question_id: number, category: string, image: string) => ({
  question_id,
  image,
  text: "What is on the table?",
  category,
});
const answered = (question_id: number, text: string) => ({ question_id, text, answer_id: "made-up" });
const instance = { category: "cup", bbox: [0, 0.5, 0.25, 1] };

export default async function writeExample(data: string): Promise<void> {
  const write = (path: string, rows: readonly object[]) => writeExampleFile(data, path, jsonLines(rows));
  await write("questions.jsonl", [asked(0, "conv", "001.jpg"), asked(1, "detail", "001.jpg")]);
  await write("context.jsonl", [{ id: "001", image: "001.jpg", caption: "A cup of tea." }]);
  await write("answers_gpt4.jsonl", [answered(1, "A cup, half full."), answered(0, "Tea.")]);

  await write("qa90_questions.jsonl", [asked(0, "complex", "000000000001.jpg")]);
  await write("qa90_gpt4_answer.jsonl", [answered(0, "Tea.")]);
  await write("caps_boxes_coco2014_val_80.jsonl", [
    { image: "000000000001.jpg", captions: ["A cup.", "Tea in a cup."], instances: [instance, instance] },
  ]);

  const row = { image: embedded, Question: "Is it hot?", Answer: "Yes, it steams." };
  await writeExampleFile(data, "small/test-00000-of-00001.parquet", parquet([row]));
  await write("medium.jsonl", [{ ...row, question_id: "tea", image: "tea.jpg" }]);

  const rules = { default: { prompt: "Rate both." }, math: { prompt: "Solve it, then rate both." } };
  await writeExampleFile(data, "rule.json", JSON.stringify(rules));
  await write("question.jsonl", [
    { question_id: 1, text: "How do I make tea?", category: "generic" },
    { question_id: 2, text: "What is 2 + 2?", category: "math" },
  ]);
  for (const model of ["gpt35", "bard", "alpaca-13b", "llama-13b", "vicuna-13b"])
    await write(`answer/answer_${model}.jsonl`, [answered(1, `${model}: boil water`), answered(2, "4")]);
}
