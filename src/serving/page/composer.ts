import type { Medium } from "./conversation.ts";
import { element } from "./element.ts";
import { readMedium } from "./media.ts";
import { picture } from "./pictures.ts";
import type { Counted } from "./server.ts";
import { texts } from "./texts.ts";

export interface Draft {
  readonly text: string;
  readonly media: readonly Medium[];
}

export interface ComposerActions {
  readonly send: (draft: Draft) => void;
  readonly stop: () => void;
  /** The draft is another than it was. */
  readonly change: (draft: Draft) => void;
}

/** Where a question is written: text, and pictures and videos that are pasted, dropped or chosen. */
export class Composer {
  readonly #actions: ComposerActions;
  readonly #field = element("textarea", {
    rows: 3,
    placeholder: texts.ask,
    aria: { label: texts.ask },
  });
  readonly #previews = element("div", { className: "previews" });
  readonly #count = element("output", { className: "count" });
  readonly #files = element("input", {
    type: "file",
    accept: "image/*,video/*",
    multiple: true,
    aria: { label: texts.attach },
  });
  readonly #send = element("button", { type: "submit" }, [texts.send]);
  readonly #stop = element("button", { type: "button", hidden: true }, [texts.stop]);
  #media: readonly Medium[] = [];

  constructor(form: HTMLFormElement, actions: ComposerActions) {
    this.#actions = actions;
    form.append(
      this.#previews,
      this.#field,
      element("div", { className: "row" }, [this.#files, this.#count, this.#stop, this.#send]),
    );
    form.onsubmit = (event) => {
      event.preventDefault();
      if (this.#send.hidden || this.#field.value.trim() === "") return;
      const { draft } = this;
      this.draft = { text: "", media: [] };
      actions.send(draft);
    };
    this.#stop.onclick = actions.stop;
    this.#field.oninput = () => actions.change(this.draft);
    this.#field.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    };
    this.#files.onchange = async () => {
      await this.#add([...(this.#files.files ?? [])]);
      this.#files.value = "";
    };
    addEventListener("paste", (event) => void this.#take(event, event.clipboardData));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => void this.#take(event, event.dataTransfer));
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") actions.stop();
    });
  }

  get draft(): Draft {
    return { text: this.#field.value, media: this.#media };
  }

  set draft({ text, media }: Draft) {
    this.#field.value = text;
    this.#media = media;
    this.#show();
    this.#field.focus();
  }

  /** Whether answers are under way. */
  set isBusy(isBusy: boolean) {
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
  }

  /** What the draft comes to, with the conversation before it. */
  set counted(counted: Counted | undefined) {
    this.#count.textContent =
      counted === undefined
        ? ""
        : `${texts.tokens(counted.count, counted.image_tokens ?? 0)}; ${texts.left(counted.max_model_len - counted.count)}`;
    this.#show(counted);
  }

  async #take(event: Event, data: DataTransfer | null): Promise<void> {
    const files = [...(data?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    await this.#add(files);
  }

  async #add(files: readonly File[]): Promise<void> {
    for (const file of files) {
      const medium = await readMedium(file);
      if (medium !== undefined) this.#media = [...this.#media, medium];
      else alert(texts.cannotRead(file.name));
    }
    this.#show();
    this.#actions.change(this.draft);
  }

  #show(counted?: Counted): void {
    // The server tells the pictures of the whole conversation: the draft's are the last.
    const told = counted?.images?.slice(-this.#media.length);
    const previews = this.#media.map((medium, index) => {
      const shown = picture(medium, told?.length === this.#media.length ? told[index] : undefined);
      const onclick = (): void => {
        this.#media = this.#media.filter((other) => other !== medium);
        this.#show();
        this.#actions.change(this.draft);
      };
      shown.append(
        element("button", { type: "button", className: "small", onclick }, [texts.remove(medium.name)]),
      );
      return shown;
    });
    this.#previews.replaceChildren(...previews);
  }
}
