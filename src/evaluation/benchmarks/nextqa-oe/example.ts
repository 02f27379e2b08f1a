import { writeExampleFile } from "../example-files.ts";

const header = "video,frame_count,width,height,question,answer,qid,type";
const table = (...rows: readonly string[]): string => [header, ...rows, ""].join("\n");

export default async function writeExample(data: string): Promise<void> {
  await writeExampleFile(
    data,
    "val.csv",
    table(
      "40,369,640,480,why did the boy run,to catch the ball,6,CW",
      "40,369,640,480,how many dogs are there,two,7,DC",
      "41,369,640,480,what does he do at the end ,sat on the chair,1,TP",
    ),
  );
  await writeExampleFile(
    data,
    "test.csv",
    table("42,369,640,480,where are they,on a street,0,DL", "43,369,640,480,is the baby asleep,no,2,DB"),
  );
  const second = { "42": { "0": "outside" } };
  await writeExampleFile(data, "add_reference_answer_test.json", JSON.stringify(second));
  await writeExampleFile(data, "map_vid_vidorID.json", JSON.stringify({ "40": "0101/40" }));
}
