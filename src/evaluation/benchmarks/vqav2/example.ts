import { writeExampleFile } from "../example-files.ts";

const questions = [
  { image_id: 42, question: "What color is the bus?", question_id: 42000 },
  { image_id: 7, question: "Is it sunny?", question_id: 7001 },
];
const people = (answers: readonly string[]) =>
  answers.map((answer, index) => ({ answer, answer_confidence: "yes", answer_id: index + 1 }));

/** Annotations stand in another order than questions. */
const annotations = [
  { question_id: 7001, image_id: 7, answer_type: "yes/no", answers: people(Array(10).fill("yes")) },
  { question_id: 42000, image_id: 42, answer_type: "other", answers: people(Array(10).fill("red")) },
];

export default async function writeExample(data: string): Promise<void> {
  const write = (name: string, content: unknown) => writeExampleFile(data, name, JSON.stringify(content));
  await write("v2_OpenEnded_mscoco_val2014_questions.json", { info: {}, questions });
  await write("v2_mscoco_val2014_annotations.json", { info: {}, annotations });
  await write("v2_OpenEnded_mscoco_test-dev2015_questions.json", { questions: questions.slice(0, 1) });
  const line = { question_id: 262144000, image: "COCO_test2015_000000262144.jpg", category: "default" };
  const text = "Is the ball flying towards the batter?\nAnswer the question using a single word or phrase.";
  await writeExampleFile(data, "llava_vqav2_mscoco_test2015.jsonl", `${JSON.stringify({ ...line, text })}\n`);
}
