import { writeExampleFile } from "../example-files.ts";

const book = (split: number, title: string) => ({
  imageURL: "https://books.example/covers/51.jpg?size=l",
  questions: ["Who wrote this book?", "Is this a religious book?"],
  answers: ["Ann Author", "No"],
  title,
  split,
});

export default (data: string): Promise<void> =>
  writeExampleFile(
    data,
    "dataset.json",
    JSON.stringify({ "0001": book(1, "Train"), "0002": book(2, "Validation"), "0003": book(3, "Test") }),
  );
