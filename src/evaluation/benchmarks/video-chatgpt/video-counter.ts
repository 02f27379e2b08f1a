/** Video-ChatGPT's ids: the name of the video and how many questions about it came before. */
export class VideoCounter {
  readonly #seen = new Map<string, number>();

  id(video: string): string {
    const before = this.#seen.get(video) ?? 0;
    this.#seen.set(video, before + 1);
    return `${video}_${before}`;
  }
}
