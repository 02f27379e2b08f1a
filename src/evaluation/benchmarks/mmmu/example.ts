import { embedded, parquet, writeExampleFile } from "../example-files.ts";
import { subjects } from "./subjects.ts";

const row = {
  question: "Which side of <image 1> is longer?",
  options: `['<image 2>', "it's \\\\(b\\\\)"]`,
  answer: "B",
  question_type: "multiple-choice",
  image_1: embedded,
  image_2: embedded,
};

/** A question for each subject, and two more of Art: an image mentioned twice, and one not mentioned. */
export default async function writeExample(data: string): Promise<void> {
  for (const subject of subjects) {
    const id = (number: number): string => `validation_${subject}_${number}`;
    const art = [
      {
        ...row,
        id: id(2),
        question: "How old is <image 1>, and <image 1> again?",
        options: "[]",
        answer: "['12', 'twelve']",
        question_type: "open",
        image_2: null,
      },
      { ...row, id: id(3), question: "Name it.", options: "['a', 'b', 'c']", image_2: null },
    ];
    const rows = [{ ...row, id: id(1) }, ...(subject === "Art" ? art : [])];
    await writeExampleFile(data, `${subject}/validation-00000-of-00001.parquet`, parquet(rows));
  }
}
