import { writeExampleFile } from "../example-files.ts";

export default async function writeExample(data: string): Promise<void> {
  const write = (name: string, rows: readonly object[]) => writeExampleFile(data, name, JSON.stringify(rows));
  const row = (Q: string, A: string) => ({ video_name: "v_a", Q, A });
  await write("generic_qa.json", [
    row("What does she do?", "She skates."),
    row("Where is she?", "On a pond."),
  ]);
  await write("temporal_qa.json", [row("What does she do first?", "She ties her shoes.")]);
  const header = ",video_name,question,question_id,answer,question_type";
  const table = (question: string) => `${header}\n0,v_a,${question},v_a_0,On a pond.,0\n`;
  await writeExampleFile(data, "Consistency_QA1.csv", table("Where does she skate?"));
  await writeExampleFile(data, "Consistency_QA2.csv", table("At what place does she skate?"));
}
