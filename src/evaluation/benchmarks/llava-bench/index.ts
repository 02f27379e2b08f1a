import { llavaBenchCoco } from "./coco.ts";
import { vicunaQuestions } from "./vicuna.ts";
import { llavaW } from "./wild.ts";
import { wilder } from "./wilder.ts";

export default [llavaW, llavaBenchCoco, wilder, vicunaQuestions];
