import { writeExampleFile } from "../example-files.ts";

const columns =
  "index\tquestion\thint\tA\tB\tC\tD\tanswer\tcategory\timage\tsource\tl2-category\tcomment\tsplit";

/** A question and its rotation; pandas takes N/A for an empty cell, and so ends the options before it. */
const table = (split: string, asked: string): string =>
  [
    columns,
    `7\t${asked}\t"A hint\nof two lines"\tMars\tVenus\tN/A\t\tA\tplanets\t/9j/4AAQ\tmade up\tknowledge\t\t${split}`,
    `1000007\t${asked}\t\tVenus\tMars\t\t\tB\tplanets\t/9j/4AAQ\tmade up\tknowledge\t\t${split}`,
    "",
  ].join("\n");

export default async function writeExample(data: string): Promise<void> {
  for (const split of ["dev", "test"]) {
    await writeExampleFile(data, `mmbench_${split}_20230712.tsv`, table(split, "Which planet is red?"));
    await writeExampleFile(data, `mmbench_${split}_cn_20231003.tsv`, table(split, "哪个行星是红色的？"));
  }
}
