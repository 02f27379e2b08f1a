import { writeExampleFile } from "../example-files.ts";

const row = (imagename: string, question: string, answer: string, capability: readonly string[]) => ({
  imagename,
  question,
  answer,
  imagesource: "made up",
  capability,
});

export default async function writeExample(data: string): Promise<void> {
  const questions = {
    v1_0: row("v1_0.png", "What is x in the equation?", "-1<AND>-5", ["ocr", "math"]),
    v1_1: row("v1_0.png", "Who is standing on the left?", "a man<OR>nobody", ["spat", "rec"]),
    v1_2: row("v1_2.png", "How much is a shot?", "2<OR>two", ["math", "ocr"]),
  };
  await writeExampleFile(data, "mm-vet.json", JSON.stringify(questions));
}
