import { parquet, writeExampleFile } from "../example-files.ts";

export default async function writeExample(data: string): Promise<void> {
  const rows = ["short", "medium", "long"].map((duration, index) => ({
    video_id: `00${index}`,
    duration,
    domain: "Knowledge",
    sub_category: "Humanity & History",
    url: "",
    videoID: `video${index}`,
    question_id: `00${index}-1`,
    task_type: "Counting Problem",
    question: "How many porcelain jars were discovered in the niches?",
    options: ["A. 4.", "B. 9.", "C. 5.", "D. 13."],
    answer: "B",
  }));
  await writeExampleFile(data, "videomme/test-00000-of-00001.parquet", parquet(rows));
  const subtitles = [
    '1\r\n00:00:00,000 --> 00:00:02,500\r\n<font color="white" size=".72c">Nine jars</font>\r\n',
    "2\n00:00:02,500 --> 00:00:05,000\nwere found\nin the niches.\n",
    "3\n00:00:05,000 --> 00:00:06,000\n\n",
  ];
  await writeExampleFile(data, "subtitle/video0.srt", subtitles.join("\n"));
}
