import type { SceneItem } from "../item.ts";
import type { Turn } from "../kind.ts";

/** A made up photo, and what should be said about it. */
interface Example {
  readonly scene: Pick<SceneItem, "captions" | "boxes">;
  readonly turns: readonly Turn[];
}

const box = (category: string, ...corners: readonly [number, number, number, number]) => ({
  category,
  corners,
});

const kitchen: Example["scene"] = {
  captions: [
    "A woman in a striped apron slices carrots on a wooden board.",
    "Someone is cutting vegetables in a small kitchen.",
    "A cook prepares carrots next to a steaming pot.",
    "A woman chops food while a pot boils on the stove.",
    "There are carrots, a knife and a bowl on the kitchen counter.",
  ],
  boxes: [
    box("person", 0.182, 0.043, 0.611, 0.987),
    box("knife", 0.44, 0.602, 0.563, 0.671),
    box("carrot", 0.515, 0.655, 0.602, 0.702),
    box("carrot", 0.548, 0.684, 0.634, 0.731),
    box("bowl", 0.667, 0.612, 0.81, 0.754),
    box("oven", 0.702, 0.521, 1.0, 1.0),
  ],
};

const beach: Example["scene"] = {
  captions: [
    "Two dogs run along the beach after a red ball.",
    "A brown dog and a white dog chase a ball by the sea.",
    "Dogs playing on wet sand at low tide.",
    "A pair of dogs racing each other near the water.",
    "The white dog is just ahead of the brown one.",
  ],
  boxes: [
    box("dog", 0.231, 0.48, 0.452, 0.742),
    box("dog", 0.402, 0.455, 0.62, 0.718),
    box("sports ball", 0.688, 0.671, 0.724, 0.713),
    box("boat", 0.031, 0.212, 0.094, 0.247),
  ],
};

const station: Example["scene"] = {
  captions: [
    "People with umbrellas wait on a train platform in the rain.",
    "A wet platform with a row of commuters.",
    "A yellow train is coming into the station.",
    "Several passengers stand behind the line as a train arrives.",
    "It is raining at the railway station.",
  ],
  boxes: [
    box("train", 0.004, 0.187, 0.402, 0.713),
    box("person", 0.511, 0.344, 0.588, 0.812),
    box("person", 0.602, 0.351, 0.671, 0.826),
    box("person", 0.704, 0.33, 0.79, 0.861),
    box("umbrella", 0.478, 0.251, 0.612, 0.372),
    box("umbrella", 0.681, 0.224, 0.822, 0.358),
    box("suitcase", 0.795, 0.702, 0.861, 0.868),
  ],
};

export const examples: Readonly<Record<"conversation" | "detail" | "reasoning", readonly Example[]>> = {
  conversation: [
    {
      scene: kitchen,
      turns: [
        {
          question: "What is the woman doing?",
          answer: "She is slicing carrots with a knife on a wooden board.",
        },
        { question: "What is she wearing over her clothes?", answer: "She is wearing a striped apron." },
        {
          question: "Is there anything on the stove?",
          answer: "Yes, a pot is boiling on the stove, and steam rises from it.",
        },
        { question: "Is anybody helping her?", answer: "No, she is the only person in the kitchen." },
        {
          question: "Why might she be cutting the vegetables while the water is already boiling?",
          answer:
            "Carrots cut into slices cook faster and more evenly than whole ones, so she probably prepares them now to put them into the pot as soon as they are ready. Working this way saves time, because the water heats while she is busy with the knife.",
        },
      ],
    },
    {
      scene: beach,
      turns: [
        { question: "How many dogs are in the photo?", answer: "There are two dogs." },
        { question: "What colors are they?", answer: "One of them is brown and the other is white." },
        { question: "What are they running after?", answer: "They are chasing a red ball." },
        {
          question: "Which of the two is in front?",
          answer: "The white dog is just ahead of the brown one.",
        },
        { question: "Are they on a lawn?", answer: "No, they are running on wet sand beside the sea." },
        {
          question: "Why is this a good place for the dogs to play?",
          answer:
            "At low tide the wet sand is wide, flat and firm, which lets dogs run fast without sinking in or hurting their paws. The open space also lets them see the ball from far away.",
        },
      ],
    },
  ],
  detail: [
    {
      scene: station,
      turns: [
        {
          question: "",
          answer:
            "It is a rainy day at a railway station. A yellow train is coming in on the left side and takes up much of that half of the scene. On the right, three people stand in a row on the wet platform, well behind the line, and look toward the train.\n\nTwo umbrellas are open above the waiting passengers, one over the person on the left of the group and a larger one over the person on the right. A suitcase stands on the ground at the right, close to the last passenger. The ground shines with rain, and everybody seems to be waiting quietly for the doors to open.",
        },
      ],
    },
    {
      scene: kitchen,
      turns: [
        {
          question: "",
          answer:
            "In a small kitchen a woman in a striped apron stands at the counter and slices carrots on a wooden board. She fills the left and middle part of the scene. In front of her a knife rests in her hand, and two pieces of carrot lie beside it on the board.\n\nA bowl stands on the counter to the right of the board, within her reach. Farther to the right is the stove, where a pot is boiling and gives off steam. She looks busy preparing a meal, with all she needs close together.",
        },
      ],
    },
  ],
  reasoning: [
    {
      scene: station,
      turns: [
        {
          question: "What should the people here pay attention to in the next minute, and why?",
          answer:
            "They should keep their distance from the edge and watch their step. A train is just arriving, and a moving train is dangerous to anybody who stands too close. The platform is also wet from the rain, so it may be slippery, and open umbrellas can block the view or be caught by the rush of air. Waiting behind the line until the train has stopped, and closing the umbrellas before boarding, keeps them and those around them safe.",
        },
      ],
    },
    {
      scene: beach,
      turns: [
        {
          question: "What does this scene tell about the time that was chosen for the outing?",
          answer:
            "It was chosen well. The tide is low, which leaves a broad strip of wet sand that is firm enough for running. At high tide much of that strip would be under water and the animals would have to play in the waves or in loose, dry sand, which is harder to run on. Going out at low tide gives them room to chase the ball at full speed.",
        },
      ],
    },
  ],
};
