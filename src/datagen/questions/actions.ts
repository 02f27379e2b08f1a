import type { Scene } from "../captions/scene.ts";
import { present, transitive } from "../language/verbs.ts";
import { agentsOf } from "./agents.ts";
import { type Agreement, agreed, type Question } from "./question.ts";

const still = new Set("stand look smile pose".split(" "));
const games = new Set(
  "soccer football basketball tennis baseball volleyball hockey rugby frisbee guitar piano".split(" "),
);

/** What is the dog doing? One verb, with the object where the verb says little without it: "riding a bike". */
export function askActions(scene: Scene, { captions }: Agreement): Question[] {
  return agentsOf(scene).flatMap(({ name, is, actions }) => {
    const votes = actions.flatMap((ofCaption) => {
      const named = ofCaption.flatMap(({ verb, object }) => {
        if (verb === "ride" && object?.concept !== undefined && object.concept !== "bike")
          return [`riding ${object.plural ? "" : "a "}${object.concept}${object.plural ? "s" : ""}`];
        if (verb === "ride") return object?.concept === "bike" ? ["riding a bike"] : [];
        if (verb === "play" && object !== undefined && games.has(object.concept ?? object.head))
          return [`playing ${object.concept ?? object.head}`];
        return transitive.has(verb) ? [] : [present(verb)];
      });
      // What moves tells more than what stands still.
      const moving = named.filter((verb) => ![...still].some((other) => present(other) === verb));
      return moving.length > 0 ? moving.slice(0, 1) : named.slice(0, 1);
    });
    const answer = agreed(votes.map(specific(votes)), captions);
    if (answer === undefined) return [];
    const text = `What ${is} the ${name} doing?`;
    return [{ type: "action", text, answer, sentence: `The ${name} ${is} ${answer}.` }];
  });
}

/** "playing" stands for "playing soccer" where another caption tells which. */
const specific =
  (votes: readonly string[]) =>
  (vote: string): string =>
    votes.find((other) => other.startsWith(`${vote} `)) ??
    (vote === "riding a bicycle" && votes.includes("riding a bike") ? "riding a bike" : vote);
