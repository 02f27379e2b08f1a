import type { Message } from "../../../protocol/index.ts";
import type { MmBenchItem } from "./load.ts";

/*
 * What VLMEvalKit, by which MMBench is scored now, asks its judge (vlmeval/dataset/utils/multiple_choice.py, Apache-2.0,
 * Copyright VLMEvalKit Authors).
 */

const english = {
  task: "You are an AI assistant who will help me to match an answer with several options of a single-choice question. You are provided with a question, several options, and an answer, and you need to find which option is most similar to the answer. If the meaning of all options are significantly different from the answer, output Z. Your should output a single uppercase character in A, B, C, D (if they are valid options), and Z. \nExample 1: \nQuestion: What is the main object in image?\nOptions: A. teddy bear B. rabbit C. cat D. dog\nAnswer: a cute teddy bear\nYour output: A\nExample 2: \nQuestion: What is the main object in image?\nOptions: A. teddy bear B. rabbit C. cat D. dog\nAnswer: Spider\nYour output: Z\nExample 3: \n",
  labels: ["Question", "Options", "Answer", "Your output"],
} as const;

const chinese = {
  task: "你是一个帮助我匹配答案与单选题中多个选项的 AI 助手。你会被提供：一个问题，多个选项，一个答案。你的任务是找到与答案意义最相近的选项。如果所有选项的意义都与答案显著不同，则输出 Z。你应该输出一个单个的大写字母，例如 A, B, C, D（如果它们是有效选项），或 Z。例 1:问题: 图中最主要的物体是什么?\n选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n答案: 一只可爱的泰迪熊\n输出: A\n例 2: \n问题: 图中最主要的物体是什么?\n选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n答案: 蜘蛛\n输出: Z\n例 3: \n",
  labels: ["问题", "选项", "答案", "输出"],
} as const;

/** In Chinese where the question holds Chinese characters. */
export function officialPrompt({ question, options }: MmBenchItem, answer: string): readonly Message[] {
  const { task, labels } = /[\u4e00-\u9fff]/.test(question) ? chinese : english;
  const [asked, choices, given, output] = labels;
  const listed = [...options].map(([letter, option]) => `${letter}. ${option}\n`).join("");
  const content = `${task}${asked}: ${question}?\n${choices}: There are several options: \n${listed}\n${given}: ${answer}\n${output}: `;
  return [{ role: "user", content }];
}
