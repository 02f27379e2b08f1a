import { writeExampleFile } from "../example-files.ts";

const categories =
  "existence count position color posters celebrity scene landmark artwork OCR commonsense_reasoning numerical_calculation text_translation code_reasoning".split(
    " ",
  );

export default async function writeExample(data: string): Promise<void> {
  for (const category of categories)
    await writeExampleFile(
      data,
      `ground_truth/${category}.txt`,
      `0001.jpg\tIs this an example of ${category}? Please answer yes or no.\tYes\n` +
        "0001.jpg\tIs it something else?  Please answer yes or no.\tNo\n",
    );
}
