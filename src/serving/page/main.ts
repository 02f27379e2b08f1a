import { Composer, type Draft } from "./composer.ts";
import {
  type Answer,
  type Conversation,
  newConversation,
  type Turn,
  titleOf,
  wireMessages,
} from "./conversation.ts";
import { element, part } from "./element.ts";
import { History } from "./history.ts";
import { ask, countTokens, KeyNeeded, keepKey, type Model, models } from "./server.ts";
import { Settings } from "./settings.ts";
import { chosenLanguage, texts } from "./texts.ts";
import { Transcript } from "./transcript.ts";

const CURRENT = "conversation";

document.documentElement.lang = chosenLanguage();
const history = await History.open();
const served = await askedModels();
let conversations = await history.all();
let conversation = conversations.find(({ id }) => id === localStorage.getItem(CURRENT)) ?? newConversation();
let underWay: AbortController | undefined;

const settings = new Settings(part("bar"), served, () => {
  conversation.system = settings.system.value;
  count(composer.draft);
});
const transcript = new Transcript(part("transcript"), { edit, regenerate });
const composer = new Composer(part<HTMLFormElement>("composer"), {
  send: (draft) => void send(draft),
  stop: () => underWay?.abort(),
  change: count,
});
open(conversation);

/** A server with keys is asked again until one is right. */
async function askedModels(): Promise<Model[]> {
  for (;;)
    try {
      return await models();
    } catch (error) {
      if (!(error instanceof KeyNeeded)) throw error;
      await askKey();
    }
}

function askKey(): Promise<void> {
  const field = element("input", { type: "password", autocomplete: "off", required: true });
  const form = element("form", { method: "dialog" }, [
    element("label", {}, [texts.connect, field]),
    element("button", {}, [texts.open]),
  ]);
  const dialog = element("dialog", { aria: { label: texts.key } }, [form]);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      keepKey(field.value);
      dialog.remove();
      resolve();
    };
  });
}

function open(chosen: Conversation): void {
  underWay?.abort();
  conversation = chosen;
  localStorage.setItem(CURRENT, chosen.id);
  settings.system.value = chosen.system;
  transcript.show(chosen);
  list();
  count(composer.draft);
}

function list(): void {
  const entries = conversations.map((one) => {
    const title = titleOf(one, texts.untitled);
    const choose = element("button", { type: "button", onclick: () => open(one) }, [title]);
    if (one.id === conversation.id) choose.setAttribute("aria-current", "true");
    const onclick = (): void => void forget(one);
    const remove = element(
      "button",
      {
        type: "button",
        className: "small",
        aria: { label: `${texts.deleteConversation}: ${title}` },
        onclick,
      },
      ["×"],
    );
    return element("li", {}, [choose, remove]);
  });
  part("conversations").replaceChildren(
    element("h1", {}, [texts.conversations]),
    element("button", { type: "button", onclick: () => open(newConversation()) }, [texts.start]),
    element("ul", {}, entries),
  );
}

async function forget(one: Conversation): Promise<void> {
  await history.remove(one.id);
  conversations = conversations.filter(({ id }) => id !== one.id);
  if (one.id === conversation.id) open(newConversation());
  else list();
}

async function keep(changed: Conversation): Promise<void> {
  changed.changed = Date.now();
  conversations = [changed, ...conversations.filter(({ id }) => id !== changed.id)];
  await history.put(changed);
  list();
}

async function send({ text, media }: Draft): Promise<void> {
  const turn: Turn = { text, media, answers: [] };
  conversation.turns.push(turn);
  await answer(conversation, turn);
}

/** The question goes back to where it was written; it and what followed it are taken out. */
function edit(turn: Turn): void {
  underWay?.abort();
  conversation.turns = conversation.turns.slice(0, conversation.turns.indexOf(turn));
  composer.draft = turn;
  transcript.show(conversation);
  count(composer.draft);
  void keep(conversation);
}

function regenerate(turn: Turn): void {
  underWay?.abort();
  conversation.turns = conversation.turns.slice(0, conversation.turns.indexOf(turn) + 1);
  void answer(conversation, turn);
}

async function answer(asked: Conversation, turn: Turn): Promise<void> {
  const controller = new AbortController();
  underWay = controller;
  composer.isBusy = true;
  turn.answers = settings.models.map((model) => ({ model, text: "" }));
  transcript.show(asked);
  await keep(asked);
  const turns = [...asked.turns];
  await Promise.all(turn.answers.map((one) => stream(asked.system, turns, one, controller.signal)));
  await keep(asked);
  if (underWay !== controller) return;
  underWay = undefined;
  composer.isBusy = false;
  count(composer.draft);
}

async function stream(
  system: string,
  turns: readonly Turn[],
  answer: Answer,
  signal: AbortSignal,
): Promise<void> {
  const { temperature, maxTokens } = settings;
  try {
    const messages = wireMessages(system, turns, answer.model);
    const reason = await ask({ model: answer.model, messages, temperature, maxTokens, signal }, (text) => {
      answer.text += text;
      transcript.update(answer);
    });
    answer.end = { reason };
  } catch (error) {
    answer.end = signal.aborted
      ? { reason: "aborted" }
      : { reason: "error", error: error instanceof Error ? error.message : String(error) };
  }
  transcript.update(answer);
}

/** Tells what the draft comes to, once writing pauses. */
function count(draft: Draft): void {
  clearTimeout(counting);
  composer.counted = undefined;
  if (draft.text === "" && draft.media.length === 0) return;
  counting = setTimeout(async () => {
    const [model] = settings.models;
    if (model === undefined) return;
    const turns = [...conversation.turns, { ...draft, answers: [] }];
    const counted = await countTokens(model, wireMessages(conversation.system, turns, model)).catch(
      () => undefined,
    );
    if (composer.draft.text === draft.text && composer.draft.media === draft.media)
      composer.counted = counted;
  }, 400);
}
var counting: ReturnType<typeof setTimeout> | undefined;
