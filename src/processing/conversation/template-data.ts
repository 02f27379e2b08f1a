import type { Turn } from "./messages.ts";

export type TemplateStyle = "single" | "two" | "mpt" | "plain" | "llama-2" | "chatml" | "llama-3" | "gemma-1";

/** A prompt format of the LLaVA and LLaVA-NeXT releases (`llava/conversation.py`). The strings are wire format. */
export interface TemplateData {
  readonly style: TemplateStyle;
  /** What opens the system text; it stays when a caller replaces the text. */
  readonly systemPrefix?: string;
  readonly system: string;
  readonly user: string;
  readonly assistant: string;
  /** Ends a turn; in style `two` a user turn only. */
  readonly separator: string;
  /** Ends an assistant turn in the styles `two` and `llama-2`. */
  readonly answerEnd?: string;
  /** Turns that stand before every conversation. */
  readonly examples?: readonly Turn[];
  /** Whether an image is announced by a turn of its own, in `<Image>` tags. */
  readonly tagsImages?: boolean;
}

const fixedTurn = (role: "user" | "assistant", text: string): Turn => ({
  role,
  parts: [{ text }],
  isFixed: true,
});

const chatWith = (person: string): string =>
  `A chat between a curious ${person} and an artificial intelligence assistant. ` +
  `The assistant gives helpful, detailed, and polite answers to the ${person}'s questions.`;

const languageAndVision =
  "You are a helpful language and vision assistant. " +
  "You are able to understand the visual content that the user provides, " +
  "and assist the user with a variety of tasks using natural language.";

const taggedImages =
  "A chat between a curious user and an artificial intelligence assistant. " +
  "The assistant is able to understand the visual content that the user provides, " +
  "and assist the user with a variety of tasks using natural language." +
  "The visual content will be provided with the following format: <Image>visual content</Image>.";

const llama2Safety =
  "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being safe.  " +
  "Your answers should not include any harmful, unethical, racist, sexist, toxic, dangerous, or illegal content. " +
  "Please ensure that your responses are socially unbiased and positive in nature.\n\n" +
  "If a question does not make any sense, or is not factually coherent, explain why instead of answering something " +
  "not correct. If you don't know the answer to a question, please don't share false information.";

const energyExample: readonly Turn[] = [
  fixedTurn("user", "What are the key differences between renewable and non-renewable energy sources?"),
  fixedTurn(
    "assistant",
    "Renewable energy sources are those that can be replenished naturally in a relatively " +
      "short amount of time, such as solar, wind, hydro, geothermal, and biomass. " +
      "Non-renewable energy sources, on the other hand, are finite and will eventually be " +
      "depleted, such as coal, oil, and natural gas. Here are some key differences between " +
      "renewable and non-renewable energy sources:\n" +
      "1. Availability: Renewable energy sources are virtually inexhaustible, while non-renewable " +
      "energy sources are finite and will eventually run out.\n" +
      "2. Environmental impact: Renewable energy sources have a much lower environmental impact " +
      "than non-renewable sources, which can lead to air and water pollution, greenhouse gas emissions, " +
      "and other negative effects.\n" +
      "3. Cost: Renewable energy sources can be more expensive to initially set up, but they typically " +
      "have lower operational costs than non-renewable sources.\n" +
      "4. Reliability: Renewable energy sources are often more reliable and can be used in more remote " +
      "locations than non-renewable sources.\n" +
      "5. Flexibility: Renewable energy sources are often more flexible and can be adapted to different " +
      "situations and needs, while non-renewable sources are more rigid and inflexible.\n" +
      "6. Sustainability: Renewable energy sources are more sustainable over the long term, while " +
      "non-renewable sources are not, and their depletion can lead to economic and social instability.\n",
  ),
];

const single: Omit<TemplateData, "system"> = {
  style: "single",
  user: "Human",
  assistant: "Assistant",
  separator: "###",
};
const two: Omit<TemplateData, "system"> = {
  style: "two",
  user: "USER",
  assistant: "ASSISTANT",
  separator: " ",
  answerEnd: "</s>",
};
const llama2: Omit<TemplateData, "system"> = { ...two, style: "llama-2", separator: "<s>" };
const imStart: Omit<TemplateData, "system"> = {
  style: "mpt",
  systemPrefix: "<|im_start|>system\n",
  user: "<|im_start|>user\n",
  assistant: "<|im_start|>assistant\n",
  separator: "<|im_end|>",
};

const v0: TemplateData = { ...single, system: chatWith("human"), examples: energyExample };
const vicuna: TemplateData = { ...two, system: chatWith("user") };
const plain: TemplateData = { style: "plain", system: "", user: "", assistant: "", separator: "\n" };
const direct: TemplateData = { ...imStart, system: "Answer the questions." };
const mistral: TemplateData = { ...llama2, separator: "", system: "" };
const qwen: TemplateData = { ...imStart, style: "chatml", system: "You are a helpful assistant." };
const taggedSingle: TemplateData = { ...single, system: taggedImages, tagsImages: true };
const taggedTwo: TemplateData = { ...two, system: taggedImages, tagsImages: true };

export const templateData = {
  v0,
  llava_v0: { ...single, system: chatWith("human") },
  v1: vicuna,
  vicuna_v1: vicuna,
  llava_v1: { ...two, system: chatWith("human") },
  plain,
  v0_plain: plain,
  mpt: {
    ...imStart,
    system:
      "A conversation between a user and an LLM-based AI assistant. The assistant gives helpful and honest answers.",
  },
  chatml_direct: direct,
  mistral_direct: direct,
  mistral_instruct: mistral,
  llava_mistral_instruct: mistral,
  llama_2: { ...llama2, system: llama2Safety },
  llava_llama_2: { ...llama2, system: languageAndVision },
  v0_mmtag: taggedSingle,
  v1_mmtag: taggedTwo,
  llava_v0_mmtag: taggedSingle,
  llava_v1_mmtag: taggedTwo,
  llava_llama_3: {
    style: "llama-3",
    system: languageAndVision,
    user: "user",
    assistant: "assistant",
    separator: "<|eot_id|>",
  },
  qwen_1_5: qwen,
  qwen_2: qwen,
  qwen_2_5: { ...qwen, system: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant." },
  gemma_instruct: {
    style: "gemma-1",
    system: "",
    user: "<start_of_turn>user\n",
    assistant: "<start_of_turn>model\n",
    separator: "<end_of_turn>",
  },
  mistral_orca: {
    ...imStart,
    system:
      "You are MistralOrca, a large language model trained by Alignment Lab AI. " +
      "Write out your reasoning step-by-step to be sure you get the right answers!",
  },
  mistral_zephyr: {
    style: "mpt",
    systemPrefix: "<|system|>\n",
    system: "You are a helpful AI assistant.",
    user: "<|user|>\n",
    assistant: "<|assistant|>\n",
    separator: "</s>",
  },
} as const satisfies Record<string, TemplateData>;

export type TemplateName = keyof typeof templateData;
