import { writeExampleFile } from "../example-files.ts";

const rows = {
  "2001": {
    question: "Is the fence behind the horse?",
    imageId: "n1001",
    answer: "no",
    types: { structural: "verify", semantic: "rel", detailed: "relVerify" },
    isBalanced: true,
  },
  "2002": {
    question: "What is the man holding?",
    imageId: "n1002",
    answer: "umbrella",
    types: { structural: "query", semantic: "rel", detailed: "relO" },
    isBalanced: true,
  },
};

export default (data: string): Promise<void> =>
  writeExampleFile(data, "testdev_balanced_questions.json", JSON.stringify(rows));
