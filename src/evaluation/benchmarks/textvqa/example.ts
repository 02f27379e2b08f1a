import { writeExampleFile } from "../example-files.ts";

const answers = Array<string>(10).fill("acme");

export default async function writeExample(data: string): Promise<void> {
  const write = (name: string, rows: unknown[]) =>
    writeExampleFile(data, name, JSON.stringify({ dataset_name: "textvqa", data: rows }));
  await write("TextVQA_0.5.1_val.json", [
    { image_id: "0a1b", question_id: 1, question: "what brand is the camera?", answers },
    { image_id: "0a1b", question_id: 2, question: "Which year?", answers },
    { image_id: "2c3d", question_id: 3, question: "What is written here?", answers },
  ]);
  await write("TextVQA_Rosetta_OCR_v0.2_val.json", [
    { image_id: "0a1b", ocr_tokens: ["ACME", "Single-Use", "1999"] },
    { image_id: "2c3d", ocr_tokens: [] },
  ]);
}
