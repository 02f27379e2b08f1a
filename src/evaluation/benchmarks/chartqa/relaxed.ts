import { pythonFloat } from "../../python/index.ts";

/**
 * Whether an answer is right when numbers may be off by 5 %: "12%" is 0.12; a text, and what is to be 0, must be equal but
 * for case. Masry et al. 2022, "ChartQA", section 5.1, as lmms-eval has it.
 */
export function isRelaxedRight(answer: string, truth: string): boolean {
  const [given, wanted] = [toNumber(answer), toNumber(truth)];
  if (given === undefined || wanted === undefined || wanted === 0)
    return answer.toLowerCase() === truth.toLowerCase();
  return Math.abs(given - wanted) / Math.abs(wanted) <= 0.05;
}

function toNumber(text: string): number | undefined {
  if (!text.endsWith("%")) return pythonFloat(text);
  const percent = pythonFloat(text.replace(/%+$/, ""));
  return percent === undefined ? undefined : percent / 100;
}
