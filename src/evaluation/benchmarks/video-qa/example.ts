import { jsonLines, writeExampleFile } from "../example-files.ts";

const table = (...lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

export default async function writeExample(data: string): Promise<void> {
  const write = (path: string, text: string) => writeExampleFile(data, path, text);
  const asked = (name: string, question: string, id: string) => ({
    video_name: name,
    question,
    question_id: id,
  });
  const questions = [
    asked("aB_c", "is the dog wet", "v_aB_c_0"),
    asked("d", "what does the man hold", "v_d_0"),
  ];
  const answers = [
    { answer: "yes", type: 3, question_id: "v_aB_c_0" },
    { answer: "rope", type: 0, question_id: "v_d_0" },
  ];
  const listed = (rows: readonly object[]): string => `[${jsonLines(rows).trim().replaceAll("\n", ", ")}]`;
  for (const split of ["val", "train", "test"]) {
    await write(`dataset/${split}_q.json`, listed(questions));
    await write(`dataset/${split}_a.json`, listed(answers));
  }
  await write(
    "TGIF_FrameQA.csv",
    table(
      ",video_id,answer,question,video_name,question_id,question_type",
      "1,FRAMEQA1,two,how many cats sit?,tumblr_a,7,1",
    ),
  );
  await write(
    "val.csv",
    table(
      "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4",
      "40,369,640,480,why did the boy run,1,6,CW,tired,late,cold,bored,sick",
      "41,369,640,480,what did he do after that,4,0,TP,sat,ate,sang,left,slept",
    ),
  );
  await write(
    "test.csv",
    table(
      "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4",
      "42,369,640,480,where is this,0,1,DL,park,mall,river,room,street",
    ),
  );
  await write("map_vid_vidorID.json", JSON.stringify({ "40": "0101/40" }));
  await write(
    "multiple_choice_qa/STAR.csv",
    table(
      ",video_name,question,answer_number,question_id,question_type,a0,a1,a2,a3,answer",
      "1,6H_1,What was moved?,2,Interaction_T1_1,Interaction_T1,The cup.,The box.,The book.,The bag.,The book.",
    ),
  );
}
