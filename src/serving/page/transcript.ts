import type { Answer, Conversation, Turn } from "./conversation.ts";
import { element } from "./element.ts";
import { markdown } from "./markdown.ts";
import { picture } from "./pictures.ts";
import { texts } from "./texts.ts";

export interface TranscriptActions {
  readonly edit: (turn: Turn) => void;
  readonly regenerate: (turn: Turn) => void;
}

/** What was asked and answered, from the first turn to the last. */
export class Transcript {
  readonly #root: HTMLElement;
  readonly #actions: TranscriptActions;
  /** What shows each answer. */
  readonly #shown = new Map<Answer, { readonly body: HTMLElement; readonly note: HTMLElement }>();

  constructor(root: HTMLElement, actions: TranscriptActions) {
    this.#root = root;
    this.#actions = actions;
  }

  show({ turns }: Conversation): void {
    this.#shown.clear();
    this.#root.replaceChildren(...turns.map((turn) => this.#turn(turn)));
    this.#root.scrollTop = this.#root.scrollHeight;
  }

  /** Shows an answer as it stands now, and goes down with it where the reader had been at the end. */
  update(answer: Answer): void {
    const shown = this.#shown.get(answer);
    if (shown === undefined) return;
    const wasAtEnd = this.#root.scrollHeight - this.#root.scrollTop - this.#root.clientHeight < 80;
    shown.body.replaceChildren(...markdown(answer.text));
    shown.body.setAttribute("aria-busy", String(answer.end === undefined));
    shown.note.textContent = noteOf(answer);
    shown.note.classList.toggle("error", answer.end?.error !== undefined);
    if (wasAtEnd) this.#root.scrollTop = this.#root.scrollHeight;
  }

  #turn(turn: Turn): HTMLElement {
    const question = element("section", { className: "question", aria: { label: texts.you } }, [
      ...turn.media.map((medium) => picture(medium)),
      element("p", {}, [turn.text]),
      button(texts.edit, () => this.#actions.edit(turn)),
    ]);
    const answers = element(
      "div",
      { className: "answers" },
      turn.answers.map((answer) => this.#answer(turn, answer)),
    );
    return element("article", {}, [question, answers]);
  }

  #answer(turn: Turn, answer: Answer): HTMLElement {
    const body = element("div", { className: "body" });
    const note = element("p", { className: "note" });
    this.#shown.set(answer, { body, note });
    const copy = button(texts.copy, async () => {
      await navigator.clipboard.writeText(answer.text);
      copy.textContent = texts.copied;
    });
    const made = element("section", { className: "answer", aria: { label: answer.model } }, [
      element("h2", {}, [answer.model]),
      body,
      note,
      button(texts.regenerate, () => this.#actions.regenerate(turn)),
      copy,
    ]);
    this.update(answer);
    return made;
  }
}

function noteOf({ end }: Answer): string {
  if (end === undefined) return "…";
  if (end.error !== undefined) return end.error;
  return { length: texts.length, aborted: texts.stopped }[end.reason] ?? "";
}

const button = (label: string, onclick: () => void): HTMLButtonElement =>
  element("button", { type: "button", className: "small", onclick }, [label]);
