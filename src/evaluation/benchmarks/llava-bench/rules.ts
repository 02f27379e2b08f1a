/*
 * What the judge is told, as in llava/eval/table/rule.json of LLaVA (Apache-2.0, Copyright Haotian Liu and
 * the LLaVA authors). The three categories of a benchmark share one rule there.
 */

const opening =
  "We would like to request your feedback on the performance of two AI assistants in response to the user question displayed above. The user asks the question on observing an image. For your reference, the visual content in the image is represented with ";

const closing =
  "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an overall score on a scale of 1 to 10, where a higher score indicates better overall performance.\nPlease first output a single line containing only two values indicating the scores for Assistant 1 and 2, respectively. The two scores are separated by a space.\nIn the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential bias and ensuring that the order in which the responses were presented does not affect your judgment.";

/** Entries llava_bench_conv, llava_bench_detail and llava_bench_complex. */
export const describedImage = `${opening}a few sentences describing the image. \n${closing}`;

/** Entries conv, detail and complex. */
export const captionsAndBoxes = `${opening}five descriptive sentences describing the same image and the bounding box coordinates of each object in the scene. These coordinates are in the form of bounding boxes, represented as (x1, y1, x2, y2) with floating numbers ranging from 0 to 1. These values correspond to the top left x, top left y, bottom right x, and bottom right y. \n${closing}`;

/** In words of our own: the judge sees the image, and the first answer is right by definition. */
export const shownImage = `Two AI assistants answered the user question above, which is about the image you see. Please judge how helpful, relevant, accurate and detailed their answers are, with a score from 1 to 10 for each, where a higher score is better. The answer of Assistant 1 is correct and always scores 10.\nThe first line of your reply must hold nothing but the two scores, that of Assistant 1 and then that of Assistant 2, with a space between them.\nExplain your scores from the second line on. Do not let the order of the answers influence you.`;

/** What lmms-eval tells that judge (Apache-2.0, Copyright LMMs-Lab). */
export const officialShownImage =
  "We would like to request your feedback on the performance of two AI assistants in response to the user question displayed above. The user asks the question on observing an image shown to you. \nPlease rate the helpfulness, relevance, accuracy, level of details of their responses. Each assistant receives an overall score on a scale of 1 to 10, where a higher score indicates better overall performance. Assume assistant 1 always receive a score of 10 and is the correct answer.\nPlease first output a single line containing only two values indicating the scores for Assistant 1 and 2, respectively. The two scores are separated by a space.\nIn the subsequent line, please provide a comprehensive explanation of your evaluation, avoiding any potential bias and ensuring that the order in which the responses were presented does not affect your judgment.";
