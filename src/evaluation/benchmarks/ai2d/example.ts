import { writeExampleFile } from "../example-files.ts";

const file = {
  imageName: "70.png",
  questions: {
    "What do animals respire into the air?": {
      abcLabel: false,
      answerTexts: ["Hydrogen", "Photosynthesis", "Oxygen", "Carbon Dioxide"],
      correctAnswer: 3,
      questionId: "70.png-1",
    },
    "What letter represents respiration?": {
      abcLabel: true,
      answerTexts: ["C", "B", "E", "G"],
      correctAnswer: 2,
      questionId: "70.png-3",
    },
  },
};

export default async function writeExample(data: string): Promise<void> {
  await writeExampleFile(data, "questions/70.png.json", JSON.stringify(file));
  // A diagram for training.
  await writeExampleFile(data, "questions/8.png.json", JSON.stringify(file));
  await writeExampleFile(data, "images/70.png", "");
  await writeExampleFile(data, "abc_images/70.png", "");
  await writeExampleFile(data, "ai2d_test_ids.csv", "70\n71\n");
}
