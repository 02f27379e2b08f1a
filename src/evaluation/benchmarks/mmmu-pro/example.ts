import { embedded, parquet, writeExampleFile } from "../example-files.ts";

const rows = [
  {
    id: "test_History_1",
    question: "Which of <image 1> and <image 2> is older?",
    options: "['<image 2>', \"it's <image 1>\", 'both', 'neither']",
    answer: "B",
    subject: "History",
    image_1: embedded,
    image_2: embedded,
  },
  {
    id: "validation_Art_Theory_7",
    question: "Name the style.",
    options: "['flat', 'round', 'square', 'none']",
    answer: "C",
    subject: "Art_Theory",
    image_1: embedded,
    image_2: null,
  },
];

/** Two questions in each setting; the first setting comes in two parts. */
export default async function writeExample(data: string): Promise<void> {
  const wide = rows.map((row) => ({ ...row, options: row.options.replace("]", ", 'five', 'six']") }));
  for (const [part, row] of wide.entries())
    await writeExampleFile(data, `standard (10 options)/test-0000${part}-of-00002.parquet`, parquet([row]));
  await writeExampleFile(data, "standard (4 options)/test-00000-of-00001.parquet", parquet(rows));
  const shown = wide.map(({ id, options, answer, subject }) => ({
    id,
    image: embedded,
    options,
    answer,
    subject,
  }));
  await writeExampleFile(data, "vision/test-00000-of-00001.parquet", parquet(shown));
}
