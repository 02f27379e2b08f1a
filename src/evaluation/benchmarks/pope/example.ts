import { jsonLines, writeExampleFile } from "../example-files.ts";

const rows = [
  {
    question_id: 1,
    image: "COCO_val2014_000000000042.jpg",
    text: "Is there a snowboard in the image?",
    label: "yes",
  },
  {
    question_id: 2,
    image: "COCO_val2014_000000000042.jpg",
    text: "Is there a car in the image?",
    label: "no",
  },
];

export default async function writeExample(data: string): Promise<void> {
  for (const category of ["adversarial", "popular", "random"])
    await writeExampleFile(data, `coco/coco_pope_${category}.json`, jsonLines(rows));
}
