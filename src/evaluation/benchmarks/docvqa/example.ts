import { writeExampleFile } from "../example-files.ts";

const document = {
  questionId: 49153,
  question: "What is the ‘actual’ value per 1000, during the year 1975?",
  question_types: ["figure/diagram"],
  image: "documents/pybv0228_81.png",
  docId: 14465,
};
const infographic = {
  questionId: 98313,
  question: "What percentage of people like tea?",
  image_local_name: "38295.jpeg",
  answer_type: ["single span"],
};

export default async function writeExample(data: string): Promise<void> {
  const write = (name: string, row: object): Promise<void> =>
    writeExampleFile(data, name, JSON.stringify({ dataset_version: "1.0", data: [row] }));
  await write("val_v1.0_withQT.json", { ...document, answers: ["0.28"] });
  await write("test_v1.0.json", document);
  await write("infographicsVQA_val_v1.0_withQT.json", { ...infographic, answers: ["28%", "28"] });
  await write("infographicsVQA_test_v1.0.json", infographic);
}
