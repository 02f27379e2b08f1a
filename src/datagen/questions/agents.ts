import type { Action } from "../captions/caption-facts.ts";
import { type Cast, type Scene, speciesOf } from "../captions/scene.ts";
import { plural } from "../language/grammar.ts";

/** Someone whom a question can be about without doubt: the only one of the species, or all of them. */
export interface Agent {
  readonly cast: Cast;
  /** "man", "dogs", "people" */
  readonly name: string;
  readonly is: "is" | "are";
  /** What the captions say that they do; one list a caption. */
  readonly actions: readonly (readonly Action[])[];
}

export function agentsOf({ casts, facts }: Scene): Agent[] {
  return casts.flatMap((cast) => {
    if (cast.number === "unclear" || cast.concept === "animal" || cast.support < 2) return [];
    const several = cast.number === "several";
    const species = speciesOf(cast.concept);
    const actions = facts.map((caption) =>
      caption.actions.filter(
        ({ agent }) =>
          agent !== undefined && agent.plural === several && speciesOf(agent.concept) === species,
      ),
    );
    const name = several ? plural(cast.concept) : cast.concept;
    return [{ cast, name, is: several ? "are" : "is", actions }];
  });
}
