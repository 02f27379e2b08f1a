import type { Message } from "../../../protocol/index.ts";
import type { JudgeProtocol } from "../../benchmark.ts";
import { promptLicence, readScore } from "../video-qa/judge.ts";
import type { Dimension, VideoChatGptItem } from "./item.ts";

/** What each dimension is about, after the paper's appendix and in words of our own. */
const criteria: Readonly<Record<Dimension, string>> = {
  correctness:
    "Score how correct the model's answer is: it agrees with the right answer in its facts, and misreads or invents nothing. Synonyms and paraphrases are right.",
  detail:
    "Score how detailed the model's answer is: it covers all main points of the right answer, with specifics of the video and not in general terms only. Synonyms and paraphrases are right.",
  context:
    "Score how well the model understood the context: its answer fits what the video as a whole is about, its themes and its mood, and says nothing beside the point. Synonyms and paraphrases are right.",
  temporal:
    "Score how well the model understood the order of events: its answer tells them in the order of the right answer. Synonyms and paraphrases are right as long as the order holds.",
  consistency:
    "A question was asked twice, in different words. Score how consistent the model's two answers are: both agree with the right answer and with one another, without contradictions or marked differences.",
};

const form =
  "Give an integer from 0 to 5, where 5 is best. Reply with a dictionary like {'score': 2} and nothing else.";

/** Each dimension has its own criterion; all reply with one score. */
export const judge: JudgeProtocol<VideoChatGptItem> = {
  model: "gpt-3.5-turbo-0613",
  official: { withheld: promptLicence },
  sampling: { temperature: 0, maxTokens: 64 },
  needed: ({ isParaphrase }) => !isParaphrase,
  prompt(item, answer, answers): readonly Message[] {
    const { dimension, question, paraphrase, answer: truth, compat } = item;
    const lines =
      paraphrase === undefined
        ? [`Question: ${question}`, `Right answer: ${truth}`, `Answer of the model: ${answer}`]
        : [
            `Question 1: ${question}`,
            // The original shows the first question twice.
            `Question 2: ${compat ? question : paraphrase.question}`,
            `Right answer: ${truth}`,
            `Answer of the model to question 1: ${answer}`,
            `Answer of the model to question 2: ${answers.get(paraphrase.id) ?? ""}`,
          ];
    return [
      {
        role: "system",
        content: `You judge the answers of a model to questions about a video. ${criteria[dimension]}`,
      },
      { role: "user", content: [...lines, "", form].join("\n") },
    ];
  },
  parse(reply) {
    const score = readScore(reply);
    return score === undefined ? undefined : { score };
  },
};
