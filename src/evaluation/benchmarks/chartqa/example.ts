import { writeExampleFile } from "../example-files.ts";

const row = {
  imgname: "41699051005347.png",
  query: "How many food item is shown in the bar graph?",
  label: "14",
};

export default async function writeExample(data: string): Promise<void> {
  for (const split of ["test", "val"]) {
    const write = (kind: string, rows: unknown[]): Promise<void> =>
      writeExampleFile(data, `${split}/${split}_${kind}.json`, JSON.stringify(rows));
    await write("human", [row, row]);
    await write("augmented", [{ ...row, query: "What was the value in 2010?", label: "57.16" }]);
  }
}
