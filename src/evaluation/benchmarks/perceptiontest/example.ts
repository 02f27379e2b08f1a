import { writeExampleFile } from "../example-files.ts";

const row = {
  id: 0,
  question: "Is the camera moving or static?",
  options: ["I don't know", "moving", "static or shaking"],
  area: "physics",
  reasoning: "descriptive",
  tag: ["motion"],
};
const video = { metadata: { split: "valid", video_id: "video_1580", num_frames: 1022 } };

export default async function writeExample(data: string): Promise<void> {
  const write = (split: string, rows: unknown[]): Promise<void> =>
    writeExampleFile(
      data,
      `mc_question_${split}.json`,
      JSON.stringify({ video_1580: { ...video, mc_question: rows } }),
    );
  await write("valid", [
    { ...row, answer_id: 2 },
    { ...row, id: 1, question: "Where is the cup?", area: "semantics", answer_id: 1 },
  ]);
  await write("test", [{ id: 0, question: row.question, options: row.options }]);
}
