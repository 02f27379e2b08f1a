import { writeExampleFile } from "../example-files.ts";

const row = {
  google_drive_id: "1ZdZ8aUcBNzndj135bqFrxb9L816EMGp1",
  question: "What can you deduce about the primary objective within the video?",
  "option 0": "C is cooking.",
  "option 1": "C is doing laundry.",
  "option 2": "C is cleaning the kitchen.",
  "option 3": "C is cleaning dishes.",
  "option 4": "C is cleaning the bathroom.",
};

export default async function writeExample(data: string): Promise<void> {
  const rows = ["0074f737", "00b9a0de"].map((q_uid) => ({ ...row, q_uid }));
  await writeExampleFile(data, "questions.json", JSON.stringify(rows));
  await writeExampleFile(data, "subset_answers.json", JSON.stringify({ "0074f737": 3 }));
}
