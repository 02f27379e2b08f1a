import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { shortAnswerPrompt } from "../../protocol/index.ts";
import { byAgreement } from "../captions/agreement.ts";
import { readScene } from "../captions/scene.ts";
import { curate, evaluationQuestions, trainingRows } from "../curate.ts";
import { englishReader, type Reader } from "../language/english-reader.ts";
import { compatible, present } from "../language/verbs.ts";
import { balanceAnswers } from "./balance.ts";
import type { QuestionType } from "./question.ts";
import { askShort } from "./short.ts";
import { type AskedQuestion, askAffirmation } from "./yes-no.ts";

let read: Reader;
before(() => {
  read = englishReader();
});

const answers = (...captions: string[]): Record<string, string> =>
  Object.fromEntries(
    askShort(readScene({ image: "a.jpg", captions }, read), { captions: 2 }).map(({ text, answer }) => [
      text,
      answer,
    ]),
  );

describe("short answers", () => {
  test("tell what the captions agree on", () => {
    assert.deepEqual(
      answers(
        "A black dog is running on the beach with a stick in its mouth .",
        "A dog carrying a stick runs along the shore .",
        "The black dog runs across the sand with a stick in his mouth .",
      ),
      {
        "What is the dog doing?": "running",
        "What is in the dog's mouth?": "stick",
        "How many dogs are in the picture?": "one",
        "What color is the dog?": "black",
        "Where is the dog?": "on the beach",
        "What animal is in the picture?": "dog",
      },
    );
  });

  test("name people by the most precise word that no caption contradicts", () => {
    const name = (...captions: string[]) =>
      Object.keys(answers(...captions)).find((text) => text.endsWith("doing?"));
    assert.equal(
      name("A man is sitting on a bench .", "A person sits on a bench .", "A guy sitting ."),
      "What is the man doing?",
    );
    assert.equal(name("A boy is sitting .", "A child sits on a chair ."), "What is the boy doing?");
    assert.equal(name("A boy is sitting .", "A man sits on a chair ."), "What is the person doing?");
    assert.equal(
      name("A man and a woman are sitting .", "Two people are sitting on a couch ."),
      "What are the people doing?",
    );
  });

  test("are not asked where captions differ", () => {
    const asked = answers("Two dogs run in the snow .", "Three dogs stand on a street .", "A dog runs .");
    assert.equal(asked["How many dogs are in the picture?"], undefined);
    assert.equal(asked["Where are the dogs?"], undefined);
    assert.equal(answers("A red ball lies here .", "A blue ball .")["What color is the ball?"], undefined);
  });

  test("need two captions", () => {
    const asked = answers("A girl in a pink dress is dancing .", "A girl at a party .", "A girl .");
    assert.equal(asked["What color is the girl's dress?"], undefined);
    assert.equal(asked["What is the girl doing?"], undefined);
  });

  test("keep apart who acts: a man with a dog", () => {
    const asked = answers("A man with a dog is sitting on a bench .", "A man sits while a dog sleeps .");
    assert.equal(asked["What is the man doing?"], "sitting");
    assert.equal(asked["What is the dog doing?"], undefined);
  });

  test("count a group as unknown and a pair as two", () => {
    const count = (...captions: string[]) => answers(...captions)["How many people are in the picture?"];
    assert.equal(count("A pair of boys .", "Two boys .", "Two children ."), "two");
    assert.equal(count("A group of boys .", "Many boys .", "A crowd ."), undefined);
  });

  test("say what is ridden, held and played", () => {
    const asked = answers("A man is riding a bicycle .", "A man rides a bike on a trail .");
    assert.equal(asked["What is the man riding?"], "bike");
    assert.equal(asked["What is the man doing?"], "riding a bike");
    const players = answers("Two boys play soccer .", "Two boys playing soccer in a park .");
    assert.equal(players["What are the boys doing?"], "playing soccer");
    assert.equal(players["What sport is shown in the picture?"], "soccer");
  });
});

test("actions and colours are denied only where they contradict what is said", () => {
  const captions = ["A brown dog is running .", "A brown dog runs ."];
  const asked = askAffirmation(readScene({ image: "a", captions }, read), { captions: 2 }, () => 0.5);
  const saying = (answer: string) => asked.filter((one) => one.answer === answer).map(({ text }) => text);
  assert.deepEqual(saying("yes"), ["Is the dog running?", "Is the dog brown?"]);
  assert.ok(saying("no").includes("Is the dog lying?") || saying("no").includes("Is the dog sitting?"));
  for (const text of ["Is the dog jumping?", "Is the dog walking?", "Is the dog orange?"])
    assert.ok(!saying("no").includes(text), text);
});

test("verbs keep their spelling rules", () => {
  assert.deepEqual(["run", "ride", "lie", "ski", "swim", "eat", "play"].map(present), [
    "running",
    "riding",
    "lying",
    "skiing",
    "swimming",
    "eating",
    "playing",
  ]);
  assert.ok(compatible("sit", "read") && !compatible("sit", "run"));
});

test("no answer keeps more than its share", () => {
  const question = (answer: string, photo: number): AskedQuestion => {
    const type: QuestionType = "action";
    return { type, text: "What is the dog doing?", answer, sentence: "", photo, category: type };
  };
  const verbs = ["running", "jumping", "sitting", "lying", "swimming"];
  const questions = verbs.flatMap((verb, i) =>
    Array.from({ length: [100, 40, 20, 20, 20][i]! }, (_, photo) => question(verb, photo)),
  );
  const kept = balanceAnswers(questions, 0);
  const counts = verbs.map((verb) => kept.filter(({ answer }) => answer === verb).length);
  // 20 + 20 + 20 and m each of the others: m ≤ (60 + 2m) / 4 ⇒ m = 30.
  assert.deepEqual(counts, [30, 30, 20, 20, 20]);
});

describe("questions about photos", () => {
  const dogs = Array.from({ length: 12 }, (_, i) => ({
    image: `dog${i}.jpg`,
    captions: ["A brown dog is running on the grass .", "A dog runs through grass ."],
  }));
  const men = Array.from({ length: 12 }, (_, i) => ({
    image: `man${i}.jpg`,
    captions: ["A man in a red shirt is sitting on a bench .", "A man in a red shirt sits on a park bench ."],
  }));
  const photos = [...dogs, ...men];

  test("asks for each thing as often with yes as with no, and denies nothing that is named", () => {
    const { questions } = curate(photos, read, { seed: 1 });
    const presence = questions.filter(({ type }) => type === "yes/no object");
    const texts = new Set(presence.map(({ text }) => text));
    assert.ok(texts.has("Is there a dog in the picture?") && texts.has("Is there a man in the picture?"));
    for (const text of texts) {
      const of = presence.filter((one) => one.text === text);
      assert.equal(of.filter(({ answer }) => answer === "yes").length * 2, of.length, text);
    }
    for (const { text, answer, photo } of presence)
      if (text.includes(" dog ")) assert.equal(answer, photo < 12 ? "yes" : "no");
  });

  test("gives the same rows for the same seed, others for another", () => {
    const rows = (seed: number) =>
      JSON.stringify([...trainingRows(curate(photos, read, { seed }), read, { seed })]);
    assert.equal(rows(3), rows(3));
    assert.notEqual(rows(3), rows(4));
  });

  test("rows alternate, begin with the image, and ask for short answers before the first that is short", () => {
    const rows = [...trainingRows(curate(photos, read, { seed: 1 }), read, { seed: 1 })];
    let short = 0;
    for (const { conversations } of rows) {
      assert.ok(conversations[0]!.value.startsWith("<image>\n"));
      const asked = conversations
        .filter((_, i) => i % 2 === 0)
        .map(({ value }) => value.replace("<image>\n", ""));
      assert.equal(new Set(asked.map((text) => text.replace(shortAnswerPrompt, ""))).size, asked.length);
      for (const [i, { from, value }] of conversations.entries()) {
        assert.equal(from, i % 2 === 0 ? "human" : "gpt");
        if (i % 2 === 0) continue;
        const wantsShort = asked.slice(0, (i + 1) / 2).some((text) => text.endsWith(shortAnswerPrompt));
        if (wantsShort) short++;
        assert.ok(
          wantsShort
            ? value.split(" ").length <= 3 && value === value.toLowerCase()
            : /^[A-Z].*\.$/.test(value),
        );
      }
    }
    assert.ok(short > 20);
  });

  test("captions that agree with the others come first", () => {
    const captions = [
      "A dog is wearing a very strange hat.",
      "A brown dog runs on grass.",
      "A brown dog runs.",
    ];
    assert.deepEqual(byAgreement(captions).at(-1), captions[0]);
    assert.deepEqual(byAgreement(["One."]), ["One."]);
  });

  test("a photo gets no more short questions than wanted", () => {
    const curated = curate(photos, read, { seed: 1 });
    for (const most of [1, 3]) {
      const rows = [...trainingRows(curated, read, { seed: 1, questionsPerPhoto: most })];
      const prompted = Map.groupBy(
        rows.filter(({ conversations }) => conversations[0]!.value.endsWith(shortAnswerPrompt)),
        ({ image }) => image,
      );
      const counts = [...prompted.values()].map((of) =>
        of.reduce((sum, { conversations }) => sum + conversations.length / 2, 0),
      );
      assert.equal(Math.max(...counts), most);
    }
  });

  test("held-out questions have an id each and the kinds that were asked for", () => {
    const questions = [
      ...evaluationQuestions(curate(photos, read, { seed: 1, types: ["yes/no object", "place"] })),
    ];
    assert.equal(new Set(questions.map(({ question_id }) => question_id)).size, questions.length);
    assert.deepEqual([...new Set(questions.map(({ type }) => type))].sort(), ["short", "yes/no"]);
    assert.ok(questions.every(({ text }) => text.endsWith(shortAnswerPrompt)));
  });
});
