import { askActions } from "./actions.ts";
import { askColors } from "./colors.ts";
import { askCounts } from "./counts.ts";
import { askObjects } from "./objects.ts";
import { askPlaces } from "./places.ts";
import type { Asker } from "./question.ts";
import { askSports, askWho } from "./sports.ts";

const askers: readonly Asker[] = [askActions, askObjects, askCounts, askColors, askPlaces, askSports, askWho];

/** All questions with an answer of a few words that the captions of a photo settle. */
export const askShort: Asker = (scene, agreement) => askers.flatMap((ask) => ask(scene, agreement));
