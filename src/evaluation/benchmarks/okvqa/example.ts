import { writeExampleFile } from "../example-files.ts";

const questions = [{ image_id: 297147, question: "What sport can you use this for?", question_id: 2971475 }];
const answers = ["race", "race", "racing", "motocross"].map((answer) => ({ answer, raw_answer: answer }));

export default async function writeExample(data: string): Promise<void> {
  const annotations = [{ question_id: 2971475, image_id: 297147, answer_type: "other", answers }];
  await writeExampleFile(data, "OpenEnded_mscoco_val2014_questions.json", JSON.stringify({ questions }));
  await writeExampleFile(data, "mscoco_val2014_annotations.json", JSON.stringify({ annotations }));
}
