// The video: made playable where it must be, with a countdown, and a call for every frame that is displayed.

import { send } from "./api.js";
import { element } from "./elements.js";

export class Player {
  constructor(number) {
    this.number = number;
    this.video = element("video", { playsinline: true, preload: "auto" });
    this.video.disablePictureInPicture = true;
    this.over = element("div", { class: "over", hidden: true });
    this.mark = element("span", { class: "mark" }, "paused");
    this.box = element("div", { class: "picture" }, this.video, this.over, this.mark);
    this.frame = () => {}; // called with the media time of each displayed frame
    this.ended = () => {};
    this.counting = 0;
    this.video.addEventListener("ended", () => this.ended());
    const each = (_, { mediaTime }) => {
      this.shown = mediaTime;
      this.frame(mediaTime);
      this.video.requestVideoFrameCallback(each);
    };
    this.video.requestVideoFrameCallback(each);
  }

  async load() {
    for (;;) {
      const { ready, share, reason } = await send("api/prepare", { video: this.number });
      if (ready) break;
      this.say(`Converting the video once for the browser (${reason}): ${Math.round(100 * share)} %`);
      await new Promise(resolve => setTimeout(resolve, 300));
    }
    this.say("Loading");
    await new Promise((resolve, reject) => {
      this.video.addEventListener("loadeddata", resolve, { once: true });
      this.video.addEventListener("error", () => reject(new Error("This video cannot be played.")), { once: true });
      this.video.src = `video/${this.number}`;
    });
    this.say("");
  }

  say(text, kind = "") {
    this.over.textContent = text;
    this.over.className = `over ${kind}`;
    this.over.hidden = !text;
  }

  get playing() {
    return !this.video.paused && !this.video.ended;
  }

  get time() {
    return this.video.currentTime;
  }

  // Counts down, then plays; settles with whether it plays, as it may be stopped on the way.
  async start(seconds, speed) {
    const own = ++this.counting;
    for (let left = seconds; left > 0; left -= 1) {
      this.say(String(left), "count");
      await new Promise(resolve => setTimeout(resolve, 1000));
      if (own !== this.counting) return false;
    }
    this.say("");
    this.video.playbackRate = speed;
    await this.video.play();
    return own === this.counting;
  }

  pause() {
    this.counting += 1;
    this.say("");
    this.video.pause();
  }

  seek(time) {
    const wasAt = Math.max(0, Math.min(time, this.video.duration || 0));
    this.video.currentTime = wasAt;
  }

  recording(on) {
    this.mark.textContent = on ? "recording" : this.playing ? "playing" : "paused";
    this.mark.classList.toggle("on", on);
  }

  close() {
    this.counting += 1;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
