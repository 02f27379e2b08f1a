import { embedded, parquet, writeExampleFile } from "../example-files.ts";

export default async function writeExample(data: string): Promise<void> {
  const choice =
    "In which direction is the car going?\n\nA. Left\nB. Right\nPlease answer directly with only the letter of the correct option and nothing else.";
  const open = "How many traffic lights are there?\nPlease answer directly with a single word or number. ";
  for (const [index, row] of [
    { image: embedded, question: choice, answer: "A" },
    { image: embedded, question: open, answer: "2" },
  ].entries())
    await writeExampleFile(data, `data/test-0000${index}-of-00002.parquet`, parquet([row]));
}
